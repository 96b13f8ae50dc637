"""What remains of a document that is wrong by itself, so that what the rest of it says of others is judged too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from journeyflow.core.check.finding import Finding
from journeyflow.core.check.problem import path_text
from journeyflow.core.check.source import Source
from journeyflow.core.errors import InvalidValue
from journeyflow.core.values import JSON, REMAINS, Missing, PathKeys, look_up, parse_path
from journeyflow.services.places import last_of, of_key, real_path
from journeyflow.services.positions import PROBLEMS_MAX

ROUNDS_MAX: Final = 40
"""So often the rest is looked at again: what something takes the place of is seen one after the other."""
STAND_INS: Final[tuple[JSON, ...]] = (
    "1d",
    1,
    {"all": []},
    "email",
    {"channel": "email"},
    [{"when": {"all": []}}],
    [{"weight": 1}],
)
"""What takes the place of a value that what is around it can't be without: the first that fits.

A duration that is a name, an id and a text as well, a number, a condition, a channel, a choice of messages, cases,
arms.
"""
_FALLING_BACK: Final = ("branch", "split", "wait_for")
"""Nodes whose ``next`` is a way only where another key gives none; that key may be what was taken out."""
_NODES: Final[PathKeys] = ("nodes",)
_OTHER_WAYS: Final = ("arms", "cases", "else", "on_timeout")
_TOLD: Final = frozenset({"JF010", "JF011", "JF012", "JF013", "JF014", "JF020", "JF021"})
"""What is wrong whatever else the document says; the others may be so for what was taken out alone."""


@dataclass(slots=True)
class Pruned:
    """A document without what is wrong in it. All paths are those of the document as it was written.

    ``removed`` is left out; ``stands`` in for values that nothing can be without, by how many were tried. A node is
    never left out for what is in it: it waits or ends runs instead, so that it is known and makes no loop.
    """

    source: Source
    removed: set[PathKeys] = field(default_factory=set)
    stands: dict[PathKeys, int] = field(default_factory=dict)
    model: BaseModel | None = None

    def without_id(self) -> Pruned:
        """The same where the id is another document's as well."""
        return replace(self, stands={(self.source.kind,): 0, **self.stands})

    def called(self, stand_in: str) -> BaseModel | None:
        """What remains, by another id where its own is none."""
        if self.model is None or (self.source.kind,) not in self.stands:
            return self.model
        return self.model.model_copy(update={self.source.kind: stand_in})

    def tells(self, found: Finding) -> bool:
        """Whether a finding is of the document as it was written, not of what was taken out, or stands in."""
        if found.code not in _TOLD or (found.code == "JF014" and found.kind == "workspace"):
            return False
        if found.code == "JF013" and found.kind == "template":
            # Whether MJML is whole, and fits its layout, is for the layout to say, which may be what was taken out.
            return found.path != "layout" and getattr(self.model, "format", None) != "mjml"
        if found.code == "JF010" and (_NODES in self.stands or (*_NODES, found.value) in self.removed):
            return False
        try:
            return self._is_written(self._written(parse_path(found.path)))
        except (
            InvalidValue
        ):  # a key that can't stand in a path; those are in texts of nodes, which nothing stands in for
            return True

    def _is_written(self, path: PathKeys) -> bool:
        written = look_up(self.source.data, path)
        stood = self._stood(path)
        if stood is not None and look_up(self._stand(stood), path[len(stood) :]) != written:
            return False
        return not isinstance(written, Missing)

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
        gone = {path[:2] for path in self.removed - self.stands.keys() if path[0] == "nodes" and len(path) > 2}
        unsure = {(*path, "next") for path in gone if self._node(path).get("type") in _FALLING_BACK}
        added: dict[PathKeys, list[str]] = {}
        for path in self.stands:
            added.setdefault(path[:-1], []).append(str(path[-1]))
        return self._rest(self.source.data, (), (self.removed | unsure) - self.stands.keys(), added)

    def _rest(self, value: JSON, path: PathKeys, gone: Set[PathKeys], added: Mapping[PathKeys, Sequence[str]]) -> JSON:
        if path in self.stands:
            return self._stand(path)
        if isinstance(value, dict):
            keys = [key for key in dict.fromkeys([*value, *added.get(path, ())]) if (*path, key) not in gone]
            return {key: self._rest(value.get(key), (*path, key), gone, added) for key in keys}
        if isinstance(value, list):
            inside = (((*path, place), one) for place, one in enumerate(value))
            return [self._rest(one, at, gone, added) for at, one in inside if at not in gone]
        return value

    def take_out(self, errors: Iterable[ErrorDetails], data: JSON) -> bool:
        """Take out what the errors are about, which are of the data that remained; whether that can be done."""
        places: dict[PathKeys, bool] = {}
        for written, is_key in ((self._written(path), is_key) for path, is_key in _wrong(errors, data)):
            stood = self._stood(written)
            places[stood or written] = is_key and stood is None
        around = {path[:length] for path in places for length in range(len(path))}  # may be wrong for that alone
        return all(self._take_out(path, is_key) for path, is_key in places.items() if path not in around)

    def _take_out(self, path: PathKeys, is_key: bool = False) -> bool:
        if not path:
            return False
        if is_key:
            self.removed.add(path)
            return True
        if path in self.removed:  # and something has to be there
            return self._take_out(path[:-1])
        tried = self.stands.pop(path, -1) + 1
        if tried < len(self._stand_ins(path)):
            self.stands[path] = tried
        else:
            self.removed.add(path)
        return True

    def _stood(self, path: PathKeys) -> PathKeys | None:
        """The place, at or around another, that something stands in at."""
        around = (path[:length] for length in range(len(path) + 1))
        return next((one for one in around if one in self.stands), None)

    def _stand(self, path: PathKeys) -> JSON:
        return self._stand_ins(path)[self.stands[path]]

    def _stand_ins(self, path: PathKeys) -> Sequence[JSON]:
        if path == _NODES and self.source.kind == "journey":
            return ({"nobody-knows": {"type": "end"}},)
        if not self._is_node(path):
            return STAND_INS
        node = self._node(path)
        ends: JSON = {"type": "end"}
        if any(key in node for key in _OTHER_WAYS):
            return (ends,)
        return ({"type": "wait", "for": "1d", "next": node.get("next")}, ends)

    def _is_node(self, path: PathKeys) -> bool:
        return self.source.kind == "journey" and path[0] == "nodes" and len(path) == 2

    def _node(self, path: PathKeys) -> dict[str, JSON]:
        node = look_up(self.source.data, path)
        return node if isinstance(node, dict) else {}


def _wrong(errors: Iterable[ErrorDetails], data: JSON) -> Iterator[tuple[PathKeys, bool]]:
    """The places of what is wrong, and whether that is a key, not what stands there or should."""
    for error in errors:
        location = error["loc"]
        if of_key(error):
            yield real_path(location[:-1], data, "key")[0], True
            continue
        path, union = real_path(location, data, last_of(error))
        # What fits none of several forms goes as a whole: nobody knows which one it was to have.
        yield path if union is None else path[:union], error["type"] == "extra_forbidden" and union is None


def prune(source: Source, model: type[BaseModel]) -> Pruned | None:
    """What remains of a document that is wrong; ``None`` where too little does."""
    pruned = Pruned(source)
    data: JSON = source.data
    for _ in range(ROUNDS_MAX):
        try:
            pruned.model = model.model_validate(data, context=REMAINS)
        except ValidationError as error:
            if error.error_count() > PROBLEMS_MAX or not pruned.take_out(error.errors(include_url=False), data):
                return None
            data = pruned.data()
        else:
            return pruned
    return None
