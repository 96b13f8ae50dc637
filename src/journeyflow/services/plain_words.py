"""The errors of Pydantic in the words of somebody who writes documents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from pydantic_core import ErrorDetails

from journeyflow.core.check.finding import closest
from journeyflow.core.conditions import KINDS

_SAID: Final[dict[str, str]] = {
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a smaller number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "set_type": "expected a list",
    "frozen_set_type": "expected a list",
    "dict_type": "expected a mapping",
    "mapping_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "none_required": "expected nothing",
    "recursion_loop": "expected a document that does not contain itself",
}

_SAID_WITH: Final[dict[str, str]] = {
    "greater_than": "expected a number above {gt}",
    "greater_than_equal": "expected a number of at least {ge}",
    "less_than": "expected a number below {lt}",
    "less_than_equal": "expected a number of at most {le}",
    "multiple_of": "expected a multiple of {multiple_of}",
    "string_too_long": "expected at most {max_length} characters",
    "too_short": "expected at least {min_length}{of}, found {actual_length}",
    "too_long": "expected at most {max_length}{of}",
}


def plain_words(error: ErrorDetails, description: str | None) -> str:
    """What was expected at the place of the error; ``description`` is what the schema says of that place."""
    kind = error["type"]
    context: Mapping[str, object] = error.get("ctx", {})
    if kind in _SAID:
        return _SAID[kind]
    if kind in _SAID_WITH:
        of = " characters" if isinstance(error.get("input"), str) else ""
        return _SAID_WITH[kind].format(of=of, **{name: _number(value) for name, value in context.items()})
    if kind in _WORDED:
        return _WORDED[kind](error["input"], context)
    if kind == "condition":
        return f"{error['msg']}{_condition(error['input'])}"
    if kind == "string_pattern_mismatch":
        return f"expected {description or 'text that matches ' + str(context.get('pattern'))}"
    return _reworded(error["msg"])


def _number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def unknown_key(key: str, known: Collection[str]) -> str:
    """Names the key that was probably meant, or those that are possible, among those of all kinds of such a mapping."""
    if key in known:  # of another kind of the same thing
        return f"the key {key!r} does not go with the others here"
    return f"unknown key {key!r}{similar(key, known)}"


def similar(wanted: str, known: Collection[str]) -> str:
    """``; did you mean 'next'?``, or else what there is, or nothing where nothing is known."""
    meant = closest(wanted, known)
    if meant is not None:
        return f"; did you mean {meant!r}?"
    return f"; expected one of {', '.join(sorted(known))}" if known else ""


def _text(value: object, context: Mapping[str, object]) -> str:
    return "expected text; put it in quotes" if isinstance(value, bool | int | float) else "expected text"


def _longer_text(value: object, context: Mapping[str, object]) -> str:
    length = context.get("min_length")
    return "expected text that is not empty" if length == 1 else f"expected at least {length} characters"


def _choice(value: object, context: Mapping[str, object]) -> str:
    expected = str(context.get("expected"))
    choices = [part for part in expected.split("'")[1::2] if part]
    meant = closest(value, choices) if isinstance(value, str) else None
    return f"expected {expected}" + (f"; did you mean {meant!r}?" if meant is not None and len(choices) > 1 else "")


def _condition(value: object) -> str:
    """What may have been meant by the keys of a mapping that none of the conditions has."""
    keys = [key for key in value if isinstance(key, str)] if isinstance(value, Mapping) else []
    meant = next((kind for key in keys if (kind := closest(key, KINDS)) is not None), None)
    return "" if meant is None else f"; did you mean {meant!r}?"


def _tag(value: object, context: Mapping[str, object]) -> str:
    choices = str(context.get("expected_tags")).split("'")[1::2]
    name = str(context.get("discriminator")).strip("'")
    return f"unknown {name} {str(context.get('tag'))!r}{similar(str(context.get('tag')), choices)}"


def _no_tag(value: object, context: Mapping[str, object]) -> str:
    name = str(context.get("discriminator"))
    return f"missing key {name}" if isinstance(value, Mapping) else f"expected a mapping with the key {name}"


def _raised(value: object, context: Mapping[str, object]) -> str:
    return str(context.get("error"))


_WORDED: Final[dict[str, Callable[[object, Mapping[str, object]], str]]] = {
    "string_type": _text,
    "string_too_short": _longer_text,
    "literal_error": _choice,
    "enum": _choice,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _no_tag,
    "value_error": _raised,
    "assertion_error": _raised,
}


def _reworded(message: str) -> str:
    text = message.replace("Input should be", "expected")
    return text[:1].lower() + text[1:]
