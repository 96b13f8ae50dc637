"""The filters of the template language: python-liquid's own, metered, and other ``date``, ``money``, ``strip_html``.

``date`` reads ISO 8601 and nothing else (python-liquid guesses, and fills what is missing from the machine's clock and
time zone), and ``money`` takes its currency as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache, wraps
from html import unescape
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_decimal
from liquid import Environment, Markup
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context
from liquid.undefined import is_undefined

from journeyflow.rendering.limits import Filter, MeteredContext, Surcharge, metered

DEFAULT_LOCALE: Final = "en_GB"
DATE_FORMAT_LENGTH_MAX: Final = 200
AMOUNT_MAX: Final = Decimal(10) ** 15

CANNOT_FAIL: Final = frozenset(
    {
        "append", "base64_encode", "base64_url_safe_encode", "capitalize", "default", "downcase", "escape",
        "escape_once", "escapejs", "first", "join", "last", "lstrip", "newline_to_br", "prepend", "remove",
        "remove_first", "replace", "replace_first", "reverse", "rstrip", "safe", "size", "split", "squish", "strip",
        "strip_html", "strip_newlines", "upcase", "url_decode", "url_encode",
    }
)  # fmt: skip
"""Filters that give something for every JSON value. All others can fail, those that are not listed anywhere too."""

CAN_FAIL: Final[Mapping[str, str]] = {
    "abs": "a text may hold a number too large to calculate with",
    "at_least": "a text may hold a number too large to calculate with",
    "at_most": "a text may hold a number too large to calculate with",
    "base64_decode": "the text may be no base64",
    "base64_url_safe_decode": "the text may be no base64",
    "ceil": "infinity has no next integer",
    "compact": "an element may have no properties",
    "concat": "the other value may be no list",
    "date": "the value may be no date",
    "divided_by": "the divisor may be zero",
    "find": "an element may have no properties",
    "find_index": "an element may have no properties",
    "floor": "infinity has no integer below it",
    "has": "an element may have no properties",
    "map": "an element may have no properties",
    "minus": "a text may hold a number too large to calculate with",
    "modulo": "the divisor may be zero",
    "money": "the value may be no amount",
    "plus": "a text may hold a number too large to calculate with",
    "reject": "an element may have no properties",
    "remove_last": "what is removed may be empty",
    "replace_last": "what is replaced may be empty",
    "round": "infinity has no integer near it",
    "slice": "the position may be no integer",
    "sort": "elements may be of kinds that do not compare",
    "sort_natural": "an element may have no properties",
    "sum": "an element may be a text that is no number",
    "times": "the product may grow too large",
    "truncate": "the length may be no integer",
    "truncatewords": "the length may be no integer",
    "uniq": "the list may be too long to compare each with each",
    "where": "an element may have no properties",
}
"""Filters that can fail while a text is filled in, and why."""

CAN_FAIL_BY_ARGUMENT: Final = frozenset({"slice", "truncate", "truncatewords"})
"""Of these, the ones that can't when their arguments are literals of the right kind."""


def add_filters(environment: Environment, *, from_html: bool) -> None:
    """Give the environment its filters, all of them metered.

    :param from_html: the text is the plain-text part of HTML; what makes HTML of a value leaves it alone then.
    """
    environment.add_filter("date", date)
    environment.add_filter("money", money)
    environment.add_filter("strip_html", strip_html)
    if from_html:
        for name in ("escape", "escape_once", "newline_to_br"):
            environment.add_filter(name, _unchanged)
        environment.add_filter("safe", _without_markup)
    for name, function in environment.filters.items():
        takes_text = _taking_text(function) if name in _TEXT_FILTERS else function
        factor, surcharge = _FACTORS.get(name, 1), _SURCHARGES.get(name)
        environment.filters[name] = metered(name, takes_text, factor=factor, surcharge=surcharge)


_TEXT_FILTERS: Final = frozenset(
    {"append", "join", "prepend", "remove", "remove_first", "replace", "replace_first", "replace_last", "split"}
)


def _taking_text(function: Filter) -> Filter:
    """python-liquid appends ``None`` and ``True`` as Python writes them; a mail says nothing, and ``true``."""

    @wraps(function)
    def taking(value: object, *args: object, **options: object) -> object:
        whole = [_as_text(item) for item in value] if isinstance(value, list | tuple) else _as_text(value)
        return function(whole, *map(_as_text, args), **options)

    return taking


def _as_text(value: object) -> object:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value


def _unchanged(value: object) -> object:
    return value


def _without_markup(value: object) -> str:
    return unescape(strip_html(value))


# --- what is dear ----------------------------------------------------------------------------------------------------

_FACTORS: Final[Mapping[str, int]] = {
    "escape_once": 8,
    "escapejs": 8,
    "newline_to_br": 4,
    "sort": 4,
    "sort_natural": 8,
    "squish": 4,
    "strip_html": 4,
    "strip_newlines": 4,
    "truncatewords": 2,
    "url_decode": 4,
    "url_encode": 4,
}


# Any: what a template has at hand
def _replacing(cells: int, value: Any, sought: Any = "", replacement: Any = "", *_rest: Any) -> int:
    """Many short texts replaced by a long one; HTML escaping makes a character six at most."""
    text = "" if value is None else str(value)
    return text.count(str(sought)) * len(str(replacement)) * 6 >> 4


def _joining(cells: int, value: Any, separator: Any = " ", *_rest: Any) -> int:  # Any: as above
    members = len(value) if isinstance(value, list | tuple | range | dict) else 1
    return members * len(str(separator)) * 6 >> 4


def _comparing_each(cells: int, value: Any, *_rest: Any) -> int:  # Any: as above
    members = len(value) if isinstance(value, list | tuple | range) else 1
    return members * cells >> 6


_SURCHARGES: Final[Mapping[str, Surcharge]] = {
    "date": lambda *_: 20,
    "join": _joining,
    "money": lambda *_: 60,
    "remove": _replacing,
    "replace": _replacing,
    "uniq": _comparing_each,
}


# --- date ------------------------------------------------------------------------------------------------------------


@with_context
def date(value: object, pattern: object = None, zone: object = None, *, context: MeteredContext) -> object:
    """``{{ vars.coupon.expires_at | date: "%d %B %Y", contact.timezone }}``.

    :param value: an instant or a date in ISO 8601, seconds since 1970 as a number, or ``now``.
    :param pattern: as for ``strftime``; without it the value is left as it is.
    :param zone: an IANA time zone to show the instant in. Without one, or where it is unknown, the variable
        ``timezone`` is asked; else the instant is shown with the offset that it is written with.
    :raises FilterArgumentError: when it is neither.
    """
    if value is None or value == "" or is_undefined(value):
        return ""
    if pattern is None or is_undefined(pattern):
        return value
    if not isinstance(pattern, str) or len(pattern) > DATE_FORMAT_LENGTH_MAX:
        raise FilterArgumentError(f"expected a pattern of at most {DATE_FORMAT_LENGTH_MAX} characters", token=None)
    moment = _moment(context.resolve("now") if value in ("now", "today") else value)
    shown_in = _zone(zone) or _zone(context.resolve("timezone", default=None))
    if shown_in is not None and moment.tzinfo is not None:
        moment = moment.astimezone(shown_in)
    text = moment.strftime(str(pattern))
    return Markup(text) if isinstance(pattern, Markup) else text


def _moment(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise FilterArgumentError(f"expected a date in ISO 8601, found {type(value).__name__}", token=None)
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value.strip())
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise FilterArgumentError(f"expected a date in ISO 8601, found {str(value)[:40]!r}", token=None) from None


def is_date(value: object) -> bool:
    """Whether ``date`` surely takes the value, in whatever zone; no answer about numbers and ``now``."""
    if value is None:
        return True
    try:
        return isinstance(value, str) and 1 < datetime.fromisoformat(value.strip()).year < 9999
    except ValueError:
        return value == ""


def is_pattern(pattern: str) -> bool:
    """Whether ``date`` takes the pattern."""
    try:
        datetime(2026, 1, 1, tzinfo=UTC).strftime(pattern)
    except ValueError:
        return False
    return len(pattern) <= DATE_FORMAT_LENGTH_MAX


def _zone(name: object) -> tzinfo | None:
    return _named_zone(str(name)) if isinstance(name, str) and 0 < len(name) <= 64 else None


@lru_cache(maxsize=1024)
def _named_zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


# --- money -----------------------------------------------------------------------------------------------------------

_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,8}){0,3}")


@with_context
def money(value: object, currency: object = None, locale: object = None, *, context: MeteredContext) -> str:
    """``{{ 12.5 | money: "GBP" }}`` gives ``£12.50``.

    :param value: a number, or a text that is one, below 10^15.
    :param currency: an ISO 4217 code. Without one the variable ``currency`` is asked; else no sign is shown.
    :param locale: such as ``pl_PL``. Without one, or where it is unknown, the variable ``locale`` is asked, else en_GB.
    :raises FilterArgumentError: when the value is no amount or the currency no code.
    """
    if value is None or value == "" or is_undefined(value):
        return ""
    code = currency if isinstance(currency, str) and currency else context.resolve("currency", default="")
    shown_for = _known_locale(locale) or _known_locale(context.resolve("locale", default=None)) or DEFAULT_LOCALE
    if code and not (isinstance(code, str) and _CURRENCY.fullmatch(code)):
        raise FilterArgumentError(f"expected a currency such as GBP, found {str(code)[:20]!r}", token=None)
    return _shown(_amount(value), str(code).upper(), shown_for)


@lru_cache(maxsize=4096)
def _shown(amount: Decimal, currency: str, locale: str) -> str:
    if currency:
        return format_currency(amount, currency, locale=locale)
    return format_decimal(amount, format="#,##0.00", locale=locale)


def _amount(value: object) -> Decimal:
    if isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) <= 40:
        try:
            amount = Decimal(str(value).strip())
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite() and abs(amount) < AMOUNT_MAX:
            return amount
    raise FilterArgumentError(f"expected an amount such as 12.50, found {str(value)[:40]!r}", token=None)


def _known_locale(name: object) -> str | None:
    return _locale_identifier(str(name)) if isinstance(name, str) and len(name) <= 40 else None


@lru_cache(maxsize=256)
def _locale_identifier(name: str) -> str | None:
    if _LOCALE.fullmatch(name) is None:
        return None
    try:
        return str(Locale.parse(name.replace("-", "_")))
    except (UnknownLocaleError, ValueError):
        return None


# --- strip_html ------------------------------------------------------------------------------------------------------


def strip_html(value: object) -> str:
    """The text without tags, comments, scripts and styles, in one pass (``html.parser`` takes the square of it)."""
    text = "" if value is None else str(value)
    kept: list[str] = []
    position = 0
    for start in _tag_starts(text):
        if start < position:
            continue
        end = _after_markup(text, start)
        if end < 0:
            break
        kept.append(text[position:start])
        position = end
    kept.append(text[position:])
    stripped = "".join(kept)
    return Markup(stripped) if isinstance(value, Markup) else stripped


_TAG_START: Final = re.compile(r"<(?=[A-Za-z/!?])")
_WITH_CONTENT: Final = re.compile(r"<(script|style)\b", re.IGNORECASE)


def _tag_starts(text: str) -> Iterator[int]:
    return (match.start() for match in _TAG_START.finditer(text))


def _after_markup(text: str, start: int) -> int:
    """Where what begins at ``start`` ends; -1 when it does not."""
    if text.startswith("<!--", start):
        end = text.find("-->", start)
        return end + 3 if end >= 0 else -1
    if match := _WITH_CONTENT.match(text, start):
        closer = re.compile(f"</{match[1]}", re.IGNORECASE).search(text, start)
        if closer is None:
            return -1
        start = closer.start()
    return text.find(">", start) + 1 or -1
