"""What remains of a document that is wrong by itself, so that what the rest of it says of others is judged too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from journeyflow.core.check.finding import Finding
from journeyflow.core.check.problem import path_text
from journeyflow.core.check.source import Source
from journeyflow.core.errors import InvalidValue
from journeyflow.core.values import JSON, PathKeys, parse_path
from journeyflow.services.places import last_of, of_key, real_path
from journeyflow.services.positions import PROBLEMS_MAX

ROUNDS_MAX: Final = 8
"""So often the rest is looked at again: what lacks a required key is taken out with what is around it."""
_FALLING_BACK: Final = ("branch", "split", "wait_for")
"""Nodes whose ``next`` is a way only where another key gives none; that key may be what was taken out."""
_NEEDED: Final = (("start",), ("subject",))
"""What something else can stand in for where it is missing."""
_TOLD: Final = frozenset({"JF010", "JF011", "JF012", "JF013", "JF014", "JF020", "JF021"})
"""What is wrong whatever else the document says; the others may be so for what was taken out alone."""


@dataclass(slots=True)
class Pruned:
    """A document without what is wrong in it. All paths are those of the document as it was written.

    ``removed`` is left out; ``stands`` in for values that nothing can be without. A node is never left out for what is
    in it: it ends runs instead, so that it is known and leads nowhere.
    """

    source: Source
    removed: set[PathKeys] = field(default_factory=set)
    stands: dict[PathKeys, JSON] = field(default_factory=dict)
    model: BaseModel | None = None

    def tells(self, found: Finding) -> bool:
        """Whether a finding is of the document as it was written, not of what was taken out."""
        if found.code not in _TOLD or (found.code == "JF014" and found.kind == "workspace"):
            return False
        if found.code == "JF013" and found.kind == "template":
            # Whether MJML is whole, and fits its layout, is for the layout to say, which may be what was taken out.
            return found.path != "layout" and getattr(self.model, "format", None) != "mjml"
        return found.code != "JF010" or ("nodes", found.value) not in self.removed

    def as_written(self, path: str) -> str:
        """The path of a finding with the places in lists that the document has."""
        try:
            keys = parse_path(path)
        except InvalidValue:  # a key that can't stand in a path; those are in texts of nodes, deeper than lists
            return path
        written = self._written(keys)
        return path if written == keys else path_text(written)

    def _written(self, keys: PathKeys) -> PathKeys:
        written: PathKeys = ()
        for key in keys:
            if isinstance(key, int):
                gone = sorted(one[-1] for one in self.removed if one[:-1] == written and isinstance(one[-1], int))
                written = (*written, reduce(lambda place, before: place + (before <= place), gone, key))
            else:
                written = (*written, key)
        return written

    def data(self) -> JSON:
        """What remains."""
        rest = self._rest(self.source.data, ())
        if isinstance(rest, dict):
            rest.update({str(path[0]): value for path, value in self.stands.items() if len(path) == 1})
        return rest

    def _rest(self, value: JSON, path: PathKeys) -> JSON:
        if path in self.stands:
            return self.stands[path]
        if isinstance(value, dict):
            return {
                key: self._rest(one, (*path, key)) for key, one in value.items() if (*path, key) not in self.removed
            }
        if isinstance(value, list):
            inside = (((*path, place), one) for place, one in enumerate(value))
            return [self._rest(one, at) for at, one in inside if at not in self.removed]
        return value

    def take_out(self, errors: Iterable[ErrorDetails], data: JSON) -> bool:
        """Take out what the errors are about, which are of the data that remained; whether that can be done."""
        places = dict.fromkeys((self._written(path), is_key) for path, is_key in _wrong(errors, data))
        self.removed.update(path for path, is_key in places if is_key)
        return all(self._take_out(path) for path, is_key in places if not is_key)

    def _take_out(self, path: PathKeys) -> bool:
        stand = self._stand(path)
        if not path or path[0] == self.source.kind or path in self.stands or path == ("nodes",):
            return False
        if stand is not None:
            self.stands[path] = stand
            return True
        self.removed.add(path)
        if path[0] == "nodes" and self._type_of(path[1]) in _FALLING_BACK:
            self.removed.add((*path[:2], "next"))
        return True

    def _stand(self, path: PathKeys) -> JSON:
        """What can stand in for a value; nothing where the document can be without it."""
        data, kind = self.source.data, self.source.kind
        if kind == "journey" and path == ("start",):
            nodes = data.get("nodes")
            names = iter(nodes) if isinstance(nodes, dict) else iter(())
            return next((name for name in names if ("nodes", name) not in self.removed), None)
        if kind == "journey" and path[:1] == ("nodes",) and len(path) == 2:
            return {"type": "end"}
        if kind == "template" and path == ("subject",) and (path in self.removed or "subject" not in data):
            return "-"
        return None

    def _type_of(self, name: str | int) -> JSON:
        nodes = self.source.data["nodes"]
        node = nodes.get(str(name)) if isinstance(nodes, dict) else None
        return node.get("type") if isinstance(node, dict) else None


def _wrong(errors: Iterable[ErrorDetails], data: JSON) -> Iterator[tuple[PathKeys, bool]]:
    """The places of what has to go, and whether it is for its key, not for what stands there."""
    for error in errors:
        location, missing = error["loc"], error["type"] == "missing"
        if of_key(error):
            yield real_path(location[:-1], data, "key")[0], True
            continue
        path, union = real_path(location, data, last_of(error))
        if union is not None:
            path = path[:union]  # it fits none of several forms: nobody knows which one it was to have
        elif missing and path not in _NEEDED:
            path = path[:-1]
        yield path, False


def prune(source: Source, model: type[BaseModel], error: ValidationError) -> Pruned | None:
    """What remains of a document after an error; ``None`` where too little does."""
    pruned = Pruned(source)
    data: JSON = source.data
    for _ in range(ROUNDS_MAX):
        if error.error_count() > PROBLEMS_MAX or not pruned.take_out(error.errors(include_url=False), data):
            return None
        data = pruned.data()
        try:
            pruned.model = model.model_validate(data)
        except ValidationError as next_error:
            error = next_error
        else:
            return pruned
    return None
