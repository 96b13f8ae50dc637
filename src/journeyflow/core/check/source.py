"""A document as it was written: plain data, and the file and lines it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from journeyflow.core.check.problem import Problem, Severity, path_text, shortened
from journeyflow.core.errors import InvalidValue
from journeyflow.core.values import JSON, PathKeys, parse_path


@dataclass(frozen=True, slots=True)
class Source:
    """One document of a file.

    ``kind`` and ``id`` are its first key and that key's value (``id`` is empty where the value is no text).
    ``positions`` gives the line, from 1, of each path of ``data``; it may be incomplete, and is empty for a document
    that came as data. ``blocks`` gives the first line of texts that stand in the file line by line.
    """

    file: str
    kind: str
    id: str
    data: dict[str, JSON]
    positions: Mapping[PathKeys, int] = field(default_factory=dict)
    blocks: Mapping[PathKeys, int] = field(default_factory=dict)

    @property
    def name(self) -> tuple[str, str] | None:
        """What no second document may be: a kind and an id, or the one workspace; ``None`` where there is no id."""
        if self.kind == "workspace":
            return (self.kind, "")
        return (self.kind, self.id) if self.id else None

    def line_in(self, path: str, line: int | None) -> int:
        """Where the ``line``-th line (from 1) of the text at that path stands, else the line of that path."""
        first = self.blocks.get(_keys(path))
        return self.line_of(path) if line is None or first is None else first + line - 1

    def line_of(self, path: PathKeys | str) -> int:
        """The line of that path, or of the nearest place around it whose line is known; 0 where none is.

        A path may also be text, such as ``nodes.first.template``.
        """
        if isinstance(path, str):
            path = _keys(path)
        for length in range(len(path), -1, -1):
            line = self.positions.get(path[:length])
            if line is not None:
                return line
        return 0

    def problem(self, code: str, path: PathKeys, message: str, severity: Severity = "error") -> Problem:
        """A problem with what stands at that path."""
        return Problem(code, message, self.file, self.line_of(path), path_text(path), self._shown(path), severity)

    def _shown(self, path: PathKeys) -> str | None:
        value: JSON = self.data
        for key in path:
            if isinstance(value, dict) and key in value:
                value = value[str(key)]
            elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
                value = value[key]
            else:
                return None
        return shortened(value) if path else None


def _keys(path: str) -> PathKeys:
    try:
        return parse_path(path)
    except InvalidValue:  # a key that can't stand in a path: the document's own line is near enough
        return ()
