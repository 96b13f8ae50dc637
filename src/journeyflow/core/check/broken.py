"""Documents that exist and can't be judged: what refers to them is not wrong for that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from journeyflow.core.check.source import Source

ANY_KIND = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """What is known of documents that are wrong by themselves, or in files that can't be read.

    ``named`` are their (kind, id), the kind being :data:`ANY_KIND` where a file tells nothing but its name. ``topics``
    are those of a broken workspace, ``None`` where they can't be told.
    """

    named: frozenset[tuple[str, str]] = frozenset()
    topics: frozenset[str] | None = frozenset()

    @classmethod
    def of(cls, sources: Iterable[Source], lost: Iterable[tuple[str, str]] = ()) -> Broken:
        """What broken documents, and files that can't be read, still tell."""
        known = [*sources]
        named = frozenset([*((one.kind, one.id) for one in known), *lost])
        workspace = next((one for one in known if one.kind == "workspace"), None)
        if workspace is not None:
            return cls(named, _topics(workspace))
        return cls(named, None if any(kind == "workspace" for kind, _ in named) else frozenset())

    def ids(self, kind: str) -> set[str]:
        """The ids of that kind."""
        return {id_ for one, id_ in self.named if one in (kind, ANY_KIND)}

    @property
    def workspace(self) -> bool:
        """Whether the workspace is among them, so that nothing can be judged by its settings."""
        return any(kind == "workspace" for kind, _ in self.named)


def _topics(workspace: Source) -> frozenset[str] | None:
    listed = workspace.data.get("topics", [])
    if not isinstance(listed, list):
        return None
    ids = (one.get("id") for one in listed if isinstance(one, dict))
    return frozenset(id_ for id_ in ids if isinstance(id_, str))
