"""Contacts in a CSV file: a column ``contact``, ``tags`` that split at ``;``, every other column an attribute."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import orjson

from journeyflow.core.local_time import zone
from journeyflow.core.values import DEPTH_MAX, JSON, too_deep
from journeyflow.services.data_files import KEY_LENGTH_MAX, TOO_DEEP, instant
from journeyflow.services.simulate_errors import BadLine

SAVE_AS_UTF_8: Final = "save the file as UTF-8 (spreadsheets call it CSV UTF-8)"


def read_header(names: list[str]) -> list[str]:
    """The names of the columns.

    :raises BadLine: when ``contact`` is missing, or a name is empty, comes twice, or is no UTF-8.
    """
    for number, name in enumerate(names, 1):
        if not _is_text(name):
            raise BadLine(f"{BadLine.at(f'header, column {number}', 'UTF-8', _readable(name))}; {SAVE_AS_UTF_8}")
    if "contact" not in names:
        raise BadLine(f"{BadLine.at('header', 'a column contact', ','.join(names) or None)}{_other_sign(names)}")
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise BadLine.at(f"header, column {number}", "a name", name)
        if name in names[: number - 1]:
            raise BadLine.at(f"header, column {number}", "each name once", name)
    return names


def _other_sign(names: list[str]) -> str:
    """What to do where something else than commas seems to stand between the columns."""
    for sign, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if any(sign in name for name in names):
            return f"; it seems to have {word} between its columns: save it with commas"
    return ""


def read_row(header: list[str], cells: list[str]) -> tuple[str, dict[str, JSON], tuple[str, ...]]:
    """Key, attributes and tags of one contact; an empty cell is missing.

    :raises BadLine: when cells are missing or too many, the key is none, or something is no UTF-8.
    """
    if len(cells) != len(header):
        raise BadLine(f"expected {len(header)} cells as in the header, found {len(cells)}")
    given = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    for name, cell in given.items():
        if not _is_text(cell):
            raise BadLine(f"{BadLine.at(name, 'UTF-8', _readable(cell))}; {SAVE_AS_UTF_8}")
    key = given.pop("contact", "")
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        raise BadLine.at("contact", f"text of 1 to {KEY_LENGTH_MAX} characters", key or None)
    tags = split_tags(given.pop("tags", ""))
    attributes = {name: read_cell(cell) for name, cell in given.items()}
    for name, value in attributes.items():
        if isinstance(value, list | dict) and too_deep(value, DEPTH_MAX - 1):
            raise BadLine(f"{name}: {TOO_DEEP}")
    return key, attributes, tags


def split_tags(text: str) -> tuple[str, ...]:
    """``vip; tea`` → ``vip``, ``tea``."""
    return tuple(tag for part in text.split(";") if (tag := part.strip()))


def created_at(attributes: dict[str, JSON], timezone: str) -> datetime | None:
    """When the contact came into being, local to it (else to ``timezone``) where there is no offset.

    :raises BadLine: when it is no instant.
    """
    value = attributes.get("created_at")
    if value is None:
        return None
    own = attributes.get("timezone")
    return instant("created_at", value, zone(own if isinstance(own, str) else None, timezone))


def _is_text(cell: str) -> bool:
    return cell.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in cell)


def _readable(cell: str) -> str:
    """The cell with the bytes that are no UTF-8 written out."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


_BEGINS_VALUE: Final = frozenset("-0123456789tf[{")


def read_cell(cell: str) -> JSON:
    """A number, ``true``, ``false``, a list or an object as JSON reads it; anything else is text, ``007`` too."""
    if cell[:1] not in _BEGINS_VALUE:
        return cell
    try:
        value: JSON = orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
    return value
