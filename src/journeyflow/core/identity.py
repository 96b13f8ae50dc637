"""Ids that are derived from what they name, so that every store writes the same (rule 9.2), and forms to compare by.

Texts may be any: where one holds half of a surrogate pair, which plain UTF-8 refuses, its bytes are passed through.
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Final
from uuid import NAMESPACE_URL

from journeyflow.core.values import JSON

SHARDS: Final = 1024
_SEPARATOR: Final = "\x1f"
_VARIANT: Final = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _uuid5(namespace: bytes, name: str) -> str:
    """The text of ``uuid.uuid5``, several times as fast: a run's and a message's id are made on the hot path."""
    text = sha1(namespace + _bytes(name), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def _namespace(uuid: str) -> bytes:
    return bytes.fromhex(uuid.replace("-", ""))


@lru_cache(maxsize=64)
def _workspace_namespace(workspace: str) -> bytes:
    return _namespace(_uuid5(NAMESPACE_URL.bytes, f"journeyflow:{workspace}"))


def run_id(workspace: str, journey: str, contact: str, key: str | None, n: int) -> str:
    """The id of the ``n``-th run (from 0) of a contact and key through a journey: dashed lower-case UUID text."""
    name = f"{journey}{_SEPARATOR}{contact}{_SEPARATOR}{key or ''}{_SEPARATOR}{n}"
    return _uuid5(_workspace_namespace(workspace), name)


def message_id(run: str, node: str, visit: int) -> str:
    """The id of the message that the ``visit``-th visit (from 0) of a run to a node makes."""
    return _uuid5(_namespace(run), f"{node}{_SEPARATOR}{visit}")


def key_text(value: JSON) -> str | None:
    """A value as the key of a run; ``None`` for what can be none: missing, null, empty text, lists and mappings.

    Text is taken as it is, a number in its shortest form, so that ``1``, ``1.0`` and ``"1"`` are one key.
    """
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer_text(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else _EXPONENT_ZEROS.sub(r"\1", repr(value))
    return None


_EXPONENT_ZEROS: Final = re.compile(r"(e[-+]?)0+")


def _integer_text(number: int) -> str | None:
    try:
        return str(number)
    except ValueError:  # beyond the thousands of digits that Python writes
        return None


@lru_cache(maxsize=8_192)  # what a turn asks for again and again; a worker that has seen many keeps no more
def shard_of(contact: str) -> int:
    """The shard (0 to 1023) of a contact: the first 10 bits of the sha256 of its key; fixed for good."""
    first, second = sha256(_bytes(contact)).digest()[:2]
    return first << 2 | second >> 6


@lru_cache(maxsize=4_096)
def address_hash(channel: str, address: str) -> str:
    """The sha256, in hex, of an address's normal form: what suppressions and consent are kept by (rule 5.8)."""
    return sha256(_bytes(normal_address(channel, address))).hexdigest()


def normal_address(channel: str, address: str) -> str:
    """One spelling for all spellings of an address, so that no suppression is dodged by another one.

    E-mail: without case, and the domain as it stands in the DNS (RFC 5891). SMS: ``+`` and digits. Whatever does not
    look like an address of the channel is only trimmed (and, for e-mail, loses its case).
    """
    trimmed = address.strip()
    if channel == "email":
        return _normal_email(trimmed)
    if channel == "sms":
        return _normal_phone(trimmed)
    return trimmed


_DOMAIN_LENGTH_MAX: Final = 255


def _normal_email(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if address.isascii() and len(domain) <= _DOMAIN_LENGTH_MAX:  # what follows, for the usual address
        return f"{local.lower()}{at}{domain.lower().rstrip('.')}"
    local = unicodedata.normalize("NFC", local.casefold())
    if len(domain) > _DOMAIN_LENGTH_MAX:
        return f"{local}{at}{domain.lower()}"
    # Letter by letter: str.lower() writes a Greek sigma by its place in the word, a domain name does not.
    mapped = "".join(sign.lower() for sign in unicodedata.normalize("NFKC", domain))
    labels = unicodedata.normalize("NFKC", mapped).replace("\u3002", ".").rstrip(".").split(".")
    return f"{local}{at}{'.'.join(map(_dns_label, labels))}"


def _dns_label(label: str) -> str:
    if label.isascii():
        return label
    return "xn--" + label.encode("punycode").decode("ascii")


_PHONE_SIGNS: Final = re.compile(r"[\s().\-/\u00a0\u2010-\u2015]")
_PHONE: Final = re.compile(r"\+?[0-9]{3,}")


def _normal_phone(address: str) -> str:
    digits = _PHONE_SIGNS.sub("", address)
    if not _PHONE.fullmatch(digits):
        return address
    return f"+{digits[2:]}" if digits.startswith("00") else digits
