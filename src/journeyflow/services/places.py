"""Where in a document an error of Pydantic is, and what its schema knows of that place.

Pydantic's locations name, between the keys of the document, the members of unions that it tried; a writer of
documents knows only the keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, Literal, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import ErrorDetails

from journeyflow.core.values import JSON, PathKeys

Location = tuple[int | str, ...]
Schema = dict[str, JSON]

_REFERENCE: Final = "#/$defs/"


Last = Literal["any", "missing", "key"]
"""What the end of a location is: a key or the name of a member, a key that is not there, or a key that is."""


def last_of(error: ErrorDetails) -> Last:
    """What the location of an error ends in, without the mark of an error about a key."""
    if error["type"] == "missing":
        return "missing"
    return "key" if error["type"] == "extra_forbidden" or of_key(error) else "any"


def real_path(location: Location, data: JSON, last: Last = "any") -> tuple[PathKeys, int | None]:
    """The location without the names of union members.

    The second part is how many keys stood before the first such name that is no key of the document, as those have
    that a discriminator chose; ``None`` where there is none.
    """
    if last == "key":
        found = _Search(location, to_key=True).best(0, data)
        if found is not None:
            return found
    if last != "any":  # it stays the last, wherever the way to it leads
        path, union = real_path(location[:-1], data)
        return (*path, location[-1]), union
    return _Search(location).best(0, data) or ((), None)


Way = tuple[PathKeys, int | None]


def of_key(error: ErrorDetails) -> bool:
    """Whether an error is about the key of a value; a document may have a key of that name as well."""
    return error["loc"][-1:] == ("[key]",) and error["type"] not in ("extra_forbidden", "missing")


class _Search:
    """The longest way down into the data that the location allows; a name that is also a key is tried as both.

    Where a mapping says its ``type``, that name comes before its keys: only what comes after it can be the key.
    """

    def __init__(self, location: Location, *, to_key: bool = False) -> None:
        self._location = location
        self._key_at = len(location) - 1 if to_key else None
        self._known: dict[tuple[int, int, bool], Way | None] = {}

    def best(self, index: int, value: JSON, typed: bool = False) -> Way | None:
        """``None`` where no way leads to the key that is to be its end; ``typed``: the value's type is passed."""
        if index == len(self._location):
            return (), None
        state = (index, id(value), typed)
        if state not in self._known:
            self._known[state] = max(self._ways(index, value, typed), key=lambda way: len(way[0]), default=None)
        return self._known[state]

    def _ways(self, index: int, value: JSON, typed: bool) -> Iterator[Way]:
        key = self._location[index]
        is_type = isinstance(value, dict) and value.get("type") == key
        if index != self._key_at:
            chosen = is_type or (isinstance(value, dict) and key in value)
            passed = self.best(index + 1, value, typed or is_type)
            if passed is not None:
                path, union = passed
                yield path, union if chosen else 0
        open_ = typed or not is_type or index == self._key_at
        if isinstance(value, dict) and isinstance(key, str) and key in value and open_:
            yield from self._down(key, index, value[key])
        if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            yield from self._down(key, index, value[key])

    def _down(self, key: str | int, index: int, value: JSON) -> Iterator[Way]:
        inner = self.best(index + 1, value)
        if inner is not None:
            path, union = inner
            yield (key, *path), None if union is None else union + 1


class _Silently(GenerateJsonSchema):
    """Only keys and descriptions are read here; a default that JSON can't hold is nothing to warn of."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        return


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return cast(Schema, model.model_json_schema(schema_generator=_Silently))


def known_keys(model: type[BaseModel], path: PathKeys, data: JSON) -> list[str]:
    """The keys that the mapping at the path may have."""
    keys = {key for schema in _schemas_at(model, path, data) for key in _mapping(schema, "properties")}
    return sorted(keys)


def description(model: type[BaseModel], path: PathKeys, data: JSON) -> str | None:
    """What the schema says of the value at the path, where it says one thing."""
    found = {schema["description"] for schema in _schemas_at(model, path, data) if "description" in schema}
    return str(found.pop()) if len(found) == 1 else None


def _schemas_at(model: type[BaseModel], path: PathKeys, data: JSON) -> list[Schema]:
    root = _schema(model)
    definitions = _mapping(root, "$defs")
    found = _fitting([root], data, definitions)
    for key in path:
        found = [part for schema in found for part in _parts(schema, key)]
        if isinstance(data, dict):
            data = data.get(str(key))
        else:
            data = data[key] if isinstance(data, list) and isinstance(key, int) and key < len(data) else None
        found = _fitting(found, data, definitions)
    return found


def _mapping(schema: Schema, key: str) -> Schema:
    value = schema.get(key)
    return value if isinstance(value, dict) else {}


def _parts(schema: Schema, key: str | int) -> Iterator[Schema]:
    """The schemas of what stands at a key."""
    if isinstance(key, int):
        candidates: list[JSON] = [schema.get("items")]
    elif key in _mapping(schema, "properties"):
        candidates = [_mapping(schema, "properties")[key]]
    else:
        candidates = [schema.get("additionalProperties"), *_mapping(schema, "patternProperties").values()]
    yield from (candidate for candidate in candidates if isinstance(candidate, dict))


def _fitting(schemas: list[Schema], data: JSON, definitions: Schema) -> list[Schema]:
    """The alternatives that the data was most probably meant to be."""
    alternatives = [one for schema in schemas for one in _alternatives(schema, definitions)]
    if not isinstance(data, dict):
        return alternatives
    scores = [_score(one, data) for one in alternatives]
    return [one for one, score in zip(alternatives, scores, strict=True) if score == max(scores)]


def _alternatives(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield from _alternatives(_mapping(definitions, reference.removeprefix(_REFERENCE)), definitions)
        return
    members = [
        member
        for name in ("anyOf", "oneOf", "allOf")
        for member in cast(list[JSON], schema.get(name, []))
        if isinstance(member, dict)
    ]
    if not members:
        yield schema
    for member in members:
        yield from _alternatives(member, definitions)


def _score(schema: Schema, data: dict[str, JSON]) -> int:
    properties = _mapping(schema, "properties")
    wanted = _mapping(properties, "type").get("const")
    right_type = wanted is not None and wanted == data.get("type")
    return 1000 * right_type + sum(key in data for key in properties)
