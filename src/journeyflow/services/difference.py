"""Where two documents differ, told to somebody who reviews the change: a line for each place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from journeyflow.core.values import JSON

LENGTH_MAX: Final = 60
"""A longer value is not shown as a whole."""
LEAD_MAX: Final = 20
"""So many characters before a difference are shown with it."""


def difference(before: JSON, after: JSON, path: str = "") -> Iterator[str]:
    """``path: old → new`` for each place where two documents differ, however they are laid out."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{path}.{key}" if path else key
            if key not in before:
                yield f"{inner}: added {_beginning(after[key])}"
            elif key not in after:
                yield f"{inner}: removed {_beginning(before[key])}"
            else:
                yield from difference(before[key], after[key], inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from difference(old, new, f"{path}[{index}]")
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield f"{path}: {_replaced(before, after)}"


def _beginning(value: JSON) -> str:
    return _part(repr(value), 0)


def _replaced(before: JSON, after: JSON) -> str:
    """``old → new``; of what is too long to be shown the part that differs, with an ellipsis for what is left out."""
    old, new = repr(before), repr(after)
    if max(len(old), len(new)) <= LENGTH_MAX:
        return f"{old} → {new}"
    if isinstance(before, str) and isinstance(after, str):
        start, old_end, new_end = _apart(before, after)
        # The lines that differ; of one that is long the part from just before the difference on.
        start = max(before.rfind("\n", 0, start) + 1, start - LEAD_MAX)
        return f"{_text(before, start, _line_end(before, old_end))} → {_text(after, start, _line_end(after, new_end))}"
    start = max(0, _apart(old, new)[0] - LEAD_MAX)
    return f"{_part(old, start)} → {_part(new, start)}"


def _apart(before: str, after: str) -> tuple[int, int, int]:
    """Where two texts begin to differ, and where that ends in each."""
    start = _alike(before, after)
    rest = _alike(before[start:][::-1], after[start:][::-1])
    return start, len(before) - rest, len(after) - rest


def _alike(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def _text(text: str, start: int, end: int) -> str:
    end = min(end, start + LENGTH_MAX)
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"


def _part(shown: str, start: int) -> str:
    end = start + LENGTH_MAX
    return f"{'…' if start else ''}{shown[start:end]}{'…' if end < len(shown) else ''}"
