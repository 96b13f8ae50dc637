"""An e-mail as it goes over the wire (RFC 5322, MIME), with nothing in its headers that somebody smuggled in.

It is not made by ``email.message``, which reads what it is given before it writes it (a subject that contains
``=?utf-8?q?=0A...?=`` would come out with a line break in it), and takes ten times as long.
"""

from __future__ import annotations

import re
import unicodedata
from binascii import b2a_qp
from collections.abc import Iterator
from email.charset import Charset
from email.header import Header
from email.utils import format_datetime, quote
from typing import Final, NamedTuple

import idna

from journeyflow.channels.base import Email
from journeyflow.core.errors import Refused

LINE_LENGTH_MAX: Final = 998
_LINE_LENGTH: Final = 76
_LINE_BREAK: Final = re.compile(r"\r\n?")
_NOT_ALPHANUMERIC: Final = re.compile(r"[^0-9A-Za-z]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
# What a server may take; whether it does, is its affair.
_LOCAL: Final = re.compile(r"[^\s<>()\[\],;:\\\"@]{1,64}")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*")
_ADDRESS_LENGTH_MAX: Final = 254
_PLAIN_PHRASE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_OWN_HEADERS: Final = frozenset(
    {"bcc", "cc", "date", "from", "message-id", "mime-version", "reply-to", "sender", "subject", "to"}
)
_UTF8: Final = Charset("utf-8")


class Address(NamedTuple):
    """An address that was read.

    :param wire: as SMTP gets it, its domain in ASCII.
    :param needs_utf8: whether the part before the @ is not ASCII, so that the server must know SMTPUTF8.
    """

    wire: str
    domain: str
    needs_utf8: bool


class WireMessage(NamedTuple):
    """What is handed to the server."""

    sender: str
    recipient: str
    content: bytes
    needs_utf8: bool


def to_wire(email: Email) -> WireMessage:
    """The mail as bytes, lines ended by CRLF, everything but addresses in ASCII.

    :raises Refused: when an address is none, or a header holds a line break or another control character.
    """
    sender = read_address("from", email.sender_email)
    recipient = read_address("to", email.to)
    reply_to = None if email.reply_to is None else read_address("reply_to", email.reply_to)
    _check_headers(email)
    lines = list(_header_lines(email, sender, recipient, reply_to))
    head = "".join(f"{line}\r\n" for line in lines)
    needs_utf8 = sender.needs_utf8 or recipient.needs_utf8 or (reply_to is not None and reply_to.needs_utf8)
    return WireMessage(sender.wire, recipient.wire, head.encode() + _parts(email), needs_utf8)


def read_address(field: str, text: str) -> Address:
    """Check an e-mail address, by its looks alone.

    :raises Refused: naming the field.
    """
    _require_one_line(field, text)
    local, at, domain = unicodedata.normalize("NFC", text.strip()).rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise Refused(f"{field}: {text[:100]!r} has no domain that exists: {error}") from error
    if not (at and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(ascii_domain)) or len(text) > _ADDRESS_LENGTH_MAX:
        raise Refused(f"{field}: {text[:100]!r} is no e-mail address")
    return Address(f"{local}@{ascii_domain}", ascii_domain, not local.isascii())


def _require_one_line(field: str, text: str) -> None:
    if found := _CONTROL.search(text):
        what = "a line break" if found[0] in "\r\n" else f"the control character U+{ord(found[0]):04X}"
        raise Refused(f"{field}: {what} is not allowed")


def _check_headers(email: Email) -> None:
    _require_one_line("subject", email.subject)
    _require_one_line("sender_name", email.sender_name or "")
    _require_one_line("id", email.id)
    for name, value in email.headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS or name.lower().startswith("content-"):
            raise Refused(f"headers: {name[:100]!r} is not a header that can be added")
        _require_one_line(f"headers.{name}", value)
        if not value.isascii() or len(name) + 2 + len(value) > LINE_LENGTH_MAX:
            raise Refused(f"headers.{name}: expected at most {LINE_LENGTH_MAX} ASCII characters")


def _header_lines(email: Email, sender: Address, recipient: Address, reply_to: Address | None) -> Iterator[str]:
    yield f"From: {_named(email.sender_name, sender.wire)}"
    yield f"To: {recipient.wire}"
    if reply_to is not None:
        yield f"Reply-To: {reply_to.wire}"
    yield f"Subject: {_unstructured(email.subject, len('Subject: '))}"
    yield f"Date: {format_datetime(email.sent_at)}"
    yield f"Message-ID: <{email.id}@{sender.domain}>"
    for name, value in email.headers.items():
        yield f"{name}: {value}"


def _named(name: str | None, address: str) -> str:
    if not name or not name.strip():
        return address
    if name.isascii() and "=?" not in name and len(name) <= _LINE_LENGTH:
        shown = name if _PLAIN_PHRASE.fullmatch(name) else f'"{quote(name)}"'
    else:
        shown = _encoded(name, len("From: "))
    return f"{shown} <{address}>"


def _unstructured(text: str, used: int) -> str:
    """A text as it is where it is short and plain, else in encoded words (RFC 2047)."""
    plain = text.isascii() and "=?" not in text and text == text.strip()
    return text if plain and len(text) + used <= _LINE_LENGTH else _encoded(text, used)


def _encoded(text: str, used: int) -> str:
    word = _UTF8.header_encode(text)
    if len(word) + used <= _LINE_LENGTH:
        return word
    header = Header(text, _UTF8, maxlinelen=_LINE_LENGTH, continuation_ws=" ", header_name="x" * (used - 2))
    return header.encode(linesep="\r\n")


def _parts(email: Email) -> bytes:
    """Plain text and HTML; what can't occur in quoted-printable divides them."""
    boundary = f"=_{_NOT_ALPHANUMERIC.sub('', email.id)[:40]}"
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    parts = [_part(boundary, "plain", email.text), _part(boundary, "html", email.html)]
    return b"".join([head.encode(), *parts, f"--{boundary}--\r\n".encode()])


def _part(boundary: str, subtype: str, text: str) -> bytes:
    head = (
        f'--{boundary}\r\nContent-Type: text/{subtype}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    lines = _LINE_BREAK.sub("\n", text).rstrip("\n") + "\n\n"  # the last one belongs to what follows
    encoded = b2a_qp(lines.encode("utf-8", "replace"), istext=True)
    return head.encode() + encoded.replace(b"\n", b"\r\n")
