"""``journeyflow schema``: the JSON Schema of documents, for editors."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from journeyflow.cli import console
from journeyflow.core.errors import NotFound

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(
    kind: Annotated[str | None, typer.Argument(help="One kind of document; all of them without.")] = None,
) -> None:
    """Print the JSON Schema of documents."""
    console.give(schema_of(kind))


def schema_of(kind: str | None) -> dict[str, Any]:  # Any: JSON Schema is free-form
    """The schema of one kind of document, or one that takes any of them.

    :raises NotFound: when there is no such kind.
    """
    from pydantic.json_schema import GenerateJsonSchema, models_json_schema

    from journeyflow.core.documents import KINDS

    class Generator(GenerateJsonSchema):
        # "Not given" is the default of operators, and no value of JSON.
        ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012  # as its base class has it

    if kind is not None and kind not in KINDS:
        raise NotFound(f"there is no kind of document {kind!r}; there are {', '.join(KINDS)}")
    if kind is not None:
        return {"$schema": DIALECT, **KINDS[kind].model_json_schema(schema_generator=Generator)}
    references, definitions = models_json_schema(
        [(model, "validation") for model in KINDS.values()], schema_generator=Generator
    )
    return {
        "$schema": DIALECT,
        "title": "journeyflow document",
        "description": "its first key says what it is",
        "oneOf": [references[model, "validation"] for model in KINDS.values()],
        "$defs": definitions["$defs"],
    }
