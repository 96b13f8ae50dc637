"""Which contacts of a simulation have an address: found out when the first one is turned, and followed from then on."""

from __future__ import annotations

from collections.abc import Iterable

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.contact import Contact
from journeyflow.core.effects import AddressTurn
from journeyflow.core.identity import normal_address

_Address = tuple[str, str]
"""The channel, and the normal form."""


class Holders:
    """Who has which address."""

    def __init__(self, contacts: Iterable[Contact]) -> None:
        self._of: dict[str, set[_Address]] = {}
        self._holders: dict[_Address, set[str]] = {}
        for contact in contacts:
            self.follow(contact)

    def follow(self, contact: Contact) -> None:
        """The contact may have other addresses than before."""
        written_ = ((channel, written(contact.attributes, channel)) for channel in ATTRIBUTES)
        now = {(str(channel), normal_address(channel, text)) for channel, text in written_ if text is not None}
        before = self._of.get(contact.key, set())
        for address in before - now:
            self._holders[address].discard(contact.key)
        for address in now - before:
            self._holders.setdefault(address, set()).add(contact.key)
        self._of[contact.key] = now

    def others(self, turned: Iterable[AddressTurn]) -> list[tuple[str, bool]]:
        """Who else has the addresses, in the order of their keys; each with whether it is history that turned them."""
        found: dict[str, bool] = {}
        for one in turned:
            for holder in self._holders.get((one.channel, one.address), ()):
                if holder != one.contact:
                    found[holder] = found.get(holder, True) and one.imported
        return sorted(found.items())
