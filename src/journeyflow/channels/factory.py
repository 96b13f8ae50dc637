"""Channels by URL, as the settings name them: ``mailbox://``, ``smtp://user:pass@host:587?tls=starttls``."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final, cast, get_args
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from journeyflow.channels.base import Channel, Email, ShortMessage
from journeyflow.channels.mailbox import MailboxChannel
from journeyflow.channels.smtp import SmtpChannel, SmtpSettings, Tls
from journeyflow.core.errors import InvalidValue

_OPTIONS: Final = frozenset({"ca", "connections", "hostname", "timeout", "tls"})
_PORTS: Final[Mapping[str, int]] = {"none": 25, "starttls": 587, "tls": 465}
_EXPECTED: Final = "expected smtp://user:password@host:port?option=value, user and password percent-encoded"
_TIMEOUT_SECONDS: Final = (0.1, 600.0)
_CONNECTIONS: Final = (1, 100)


def open_channel(url: str) -> Channel[Email]:
    """The channel for e-mails that a URL means; nothing is connected yet.

    :raises InvalidValue: when it means none; never shows the password.
    """
    scheme = url.strip().partition("://")[0].lower()
    if scheme == "mailbox":
        return MailboxChannel()
    if scheme in {"smtp", "smtps"}:
        return SmtpChannel(smtp_settings(url))
    found = f", found {scheme}://" if "://" in url and scheme.isalnum() and len(scheme) <= 20 else ""
    raise InvalidValue(f"expected mailbox://, smtp://... or smtps://...{found}")


def open_short_channel(url: str) -> Channel[ShortMessage]:
    """The channel for SMS or push messages that a URL means.

    :raises InvalidValue: when it means none.
    """
    if url.strip().lower().startswith("mailbox://"):
        return MailboxChannel()
    raise InvalidValue("expected mailbox://, which keeps messages and sends nothing")


def smtp_settings(url: str) -> SmtpSettings:
    """Read ``smtp[s]://[user[:password]@]host[:port][?tls=starttls|tls|none&timeout=10&connections=8&ca=F&hostname=H]``.

    User name and password are percent-encoded. Without ``tls``: ``smtps`` and port 465 mean ``tls``; to this machine
    nothing is encrypted; a password goes out only encrypted (``starttls``); else STARTTLS is taken where it is offered.

    :raises InvalidValue: naming the part that can't be read.
    """
    parts, port = _split(url)
    options = _options(parts.query)
    host = parts.hostname or ""
    username = unquote(parts.username) if parts.username else None
    tls = _tls(parts.scheme, options.get("tls"), host, port, signs_in=username is not None)
    return SmtpSettings(
        host=host,
        port=port or _PORTS.get(tls, 25),
        username=username,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
        timeout_seconds=_number("timeout", options.get("timeout", "10"), *_TIMEOUT_SECONDS),
        connections_max=int(_number("connections", options.get("connections", "8"), *_CONNECTIONS)),
        ca_file=options.get("ca"),
        hostname=options.get("hostname"),
    )


def _split(url: str) -> tuple[SplitResult, int | None]:
    """The parts; what is found is not shown, because a password that is not encoded may be anywhere in them."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise InvalidValue(_EXPECTED) from None
    if not parts.hostname or port == 0 or parts.path.strip("/") or parts.fragment or "@" in parts.query:
        raise InvalidValue(_EXPECTED)
    return parts, port


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise InvalidValue(f"there is no option {name[:20]!r}; expected one of {', '.join(sorted(_OPTIONS))}")
    return options


def _tls(scheme: str, asked: str | None, host: str, port: int | None, *, signs_in: bool) -> Tls:
    if scheme == "smtps":
        if asked not in {None, "tls"}:
            raise InvalidValue("tls: smtps:// means tls=tls; expected smtp:// for anything else")
        return "tls"
    if asked is not None:
        if asked not in get_args(Tls):
            raise InvalidValue(f"tls: expected starttls, tls, none or if_offered, found {asked[:20]!r}")
        return cast(Tls, asked)
    if port == _PORTS["tls"]:
        return "tls"
    if _is_this_machine(host):
        return "none"
    return "starttls" if signs_in else "if_offered"


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _number(name: str, text: str, lowest: float, highest: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not lowest <= number <= highest:
        raise InvalidValue(f"{name}: expected a number from {lowest:g} to {highest:g}, found {text[:20]!r}")
    return number
