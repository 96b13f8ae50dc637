"""What the tests of `simulate` share: documents as YAML, files of events and contacts, a tiny template language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import yaml

from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.effects import TrailRecord
from journeyflow.core.template import Layout, Partial, Parts, Template
from journeyflow.core.values import JSON, look_up, parse_path
from journeyflow.core.view import Alone
from journeyflow.services.simulate import simulate
from journeyflow.services.simulate_summary import Simulation, trail_line

_OUTPUT = re.compile(r"{{ ([\w.]+) }}")


class FakeText:
    """Knows `{{ path }}` and nothing else."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.reads = tuple(tuple(path.split(".")) for path in _OUTPUT.findall(source))

    def render(self, values: Mapping[str, JSON]) -> str:
        return _OUTPUT.sub(lambda found: str(look_up(dict(values), parse_path(found[1])) or ""), self._source)


class FakeMessage:
    """A template that never fails."""

    can_fail = False
    needs: tuple[str, ...] = ()

    def __init__(self, template: Template) -> None:
        self.reads = tuple(tuple(path.split(".")) for path in _OUTPUT.findall(f"{template.subject}{template.body}"))

    def attempt(self, values: Mapping[str, JSON]) -> None:
        raise AssertionError("nothing that can't fail is tried")


class FakeRenderer:
    """The template language of these tests."""

    def text(self, source: str) -> FakeText:
        return FakeText(source)

    def message(self, template: Template, parts: Parts) -> FakeMessage:
        return FakeMessage(template)

    def alone(self, document: Template | Layout | Partial) -> Alone:
        return Alone([], [], [])


@dataclass(frozen=True)
class Outcome:
    """A simulation, and the trail it wrote."""

    simulation: Simulation
    trail: list[TrailRecord]

    @property
    def summary(self) -> dict[str, Any]:  # Any: tests reach deep into the JSON object
        return self.simulation.summary()

    @property
    def output(self) -> bytes:
        return b"".join(map(trail_line, self.trail)) + orjson.dumps(self.summary)

    def steps(self, contact: str | None = None) -> list[tuple[str, str]]:
        """Each record as (instant without what is zero, kind), perhaps of one contact."""
        return [(short(one.at), one.kind) for one in self.trail if contact in (None, one.contact)]

    def entries(self) -> list[tuple[str, str]]:
        """Who entered when."""
        return [(short(one.at), one.contact) for one in self.trail if one.kind == "entered"]


def at(text: str) -> datetime:
    """`03-02 10:00` of the year 2026, UTC; seconds may follow."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def short(instant: datetime) -> str:
    """The inverse of :func:`at`."""
    text = instant.strftime("%m-%d %H:%M:%S").removesuffix(":00")
    return text if instant.year == 2026 else f"{instant.year}-{text}"


def documents(*texts: str) -> Documents:
    """YAML documents, several in one text where `---` stands between them."""
    found = [data for text in texts for data in yaml.safe_load_all(text)]
    return Documents.of([KINDS[next(iter(data))].model_validate(data) for data in found])


def event(contact: str, name: str, when: str, **more: object) -> dict[str, object]:
    """A line of the events file; ``when`` as for :func:`at`."""
    return {"contact": contact, "event": name, "occurred_at": at(when).isoformat(), "properties": {}, **more}


def write_events(folder: Path, events: Sequence[Mapping[str, object]]) -> Path:
    path = folder / "events.jsonl"
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in events))
    return path


def write_contacts(folder: Path, text: str) -> Path:
    path = folder / "contacts.csv"
    path.write_text(text, encoding="utf-8")
    return path


def run(
    folder: Path,
    flows: str,
    events: Sequence[Mapping[str, object]],
    contacts: str | None = None,
    **options: Any,  # Any: the keyword arguments of simulate
) -> Outcome:
    """Simulate over files written into the folder."""
    trail: list[TrailRecord] = []
    simulation = simulate(
        documents(flows),
        FakeRenderer(),
        [write_events(folder, events)],
        [] if contacts is None else [write_contacts(folder, contacts)],
        on_trail=trail.append,
        **options,
    )
    return Outcome(simulation, trail)
