"""Whatever is asked at other instants as well, the trail stays: nothing is noticed late (rule 3.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from tests.live.strategies import Arrivals, Document, arrivals, documents
from tests.live.test_random import AFTERMATH, RENDERER, several
from tests.live.world import START

from journeyflow.core import view
from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Event, Identify, SetTags
from journeyflow.core.question import Question
from journeyflow.core.segment import Segment
from journeyflow.core.standing import Standing, standing_of
from journeyflow.core.values import JSON
from journeyflow.core.workspace import Workspace
from journeyflow.services.simulate import simulate_inputs


def simulated(some: list[Document], inputs: Arrivals) -> list[TrailRecord]:
    models = [KINDS[next(iter(document))].model_validate(document) for document in some]
    records: list[TrailRecord] = []
    until = max(item.at for _, item in inputs) + AFTERMATH
    simulate_inputs(Documents.of(models), RENDERER, inputs, start=START, until=until, on_trail=records.append)
    return records


class Anything(frozenset[str]):
    """Some changes, which stand for every change there can be."""

    def isdisjoint(self, other: Iterable[object], /) -> bool:
        return not any(True for _ in other)


def on_anything(question: Question) -> Question:
    return question._replace(rests_on=Anything(question.rests_on), parts=tuple(map(on_anything, question.parts)))


@contextmanager
def everything_is_asked() -> Iterator[None]:
    """Each definition is asked whatever has changed."""

    def of(workspace: Workspace, segments: Mapping[str, Segment], tracked: JSON) -> Standing:
        found = standing_of(workspace, segments, tracked)
        return replace(
            found,
            segments=tuple(one._replace(question=on_anything(one.question)) for one in found.segments),
            steps=tuple(
                one._replace(question=on_anything(one.question), rests_on=Anything(one.rests_on)) for one in found.steps
            ),
        )

    with patch.object(view, "standing_of", of):
        yield


@several
@given(documents, arrivals(), st.lists(st.tuples(st.sampled_from(["ann", "bob"]), st.integers(0, 5_000)), max_size=40))
def test_asking_again_in_between_changes_nothing(
    some: list[Document], inputs: Arrivals, again: list[tuple[str, int]]
) -> None:
    """An empty change lets every wait and every definition be asked; what was due before has been noticed before."""
    made = {key: item.at for key, item in reversed(inputs) if isinstance(item, Event | Identify | SetTags)}
    last = max(item.at for _, item in inputs)
    asked: Arrivals = []
    for key, minute in again:
        at = START + timedelta(minutes=minute, seconds=30)
        if key in made and made[key] < at <= last:
            asked.append((key, SetTags(at)))

    plain = simulated(some, inputs)
    with everything_is_asked():
        pestered = simulated(some, [*inputs, *asked])

    assert pestered == plain
