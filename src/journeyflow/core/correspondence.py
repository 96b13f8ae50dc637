"""What a contact was sent, as one handling sees it: the store's messages, and what the handling adds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Final

from journeyflow.core.contact import Memory, PastMessage

_NONE: Final[frozenset[str]] = frozenset()


class Correspondence:
    """The messages of one contact; the store is asked when somebody wants to know.

    ``changed`` says that messages were queued or withdrawn since somebody last set it to false.
    """

    __slots__ = ("_clicked", "_contact", "_fresh", "_gone", "_memory", "_opened", "changed")

    def __init__(self, contact: str, memory: Memory) -> None:
        self._contact = contact
        self._memory = memory
        # Nothing is made for the most handlings, which neither ask nor add anything.
        self._fresh: tuple[PastMessage, ...] = ()
        self._gone = self._opened = self._clicked = _NONE
        self.changed = False

    # --- asking -------------------------------------------------------------------------------------------------------

    def since(self, instant: datetime | None) -> Iterable[PastMessage]:
        """The messages queued after an instant, oldest first."""
        stored = self._memory.messages(self._contact, instant)
        fresh = self._fresh
        if not (self._gone or self._opened or self._clicked):
            return [*stored, *fresh] if fresh else stored  # what is fresh was queued just now
        return [self._as_it_stands(one) for one in chain(stored, fresh) if one.id not in self._gone]

    def find(self, message: str) -> PastMessage | None:
        """The message of that id."""
        return next((one for one in self.since(None) if one.id == message), None)

    def latest(self, channel: str, template: object, until: datetime) -> PastMessage | None:
        """The latest message of a channel (and of a template, where one is named) that was queued by ``until``."""
        found: PastMessage | None = None
        for one in self.since(None):
            if one.channel == channel and template in (None, one.template) and one.queued_at <= until:
                found = one
        return found

    def _as_it_stands(self, message: PastMessage) -> PastMessage:
        opened, clicked = message.id in self._opened, message.id in self._clicked
        if not opened and not clicked:
            return message
        return message._replace(opened=opened or message.opened, clicked=clicked or message.clicked)

    # --- what the handling adds ---------------------------------------------------------------------------------------

    def queue(self, message: PastMessage) -> None:
        """A message was queued just now."""
        self._fresh = (*self._fresh, message)
        self.changed = True

    def withdraw(self, message: str) -> None:
        """A message that was queued will not be sent."""
        self._fresh = tuple(one for one in self._fresh if one.id != message)
        self._gone |= {message}
        self.changed = True

    def engage(self, message: str, what: str) -> None:
        """A person opened the message, or clicked in it."""
        if what == "opened":
            self._opened |= {message}
        else:
            self._clicked |= {message}
