"""What is doubtful in documents that are right: a table of rules, each a function of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import Final

from journeyflow.core.check.finding import Finding
from journeyflow.core.check.rules.cases import hidden_cases
from journeyflow.core.check.rules.company import goals_that_go_on, messages_without_topic, shared_triggers
from journeyflow.core.check.rules.spelling import blanks_around_names, doubtful_values
from journeyflow.core.check.rules.texts import unknown_roots, unknown_variables
from journeyflow.core.check.rules.timing import (
    crowded_schedules,
    early_opens,
    quiet_times,
    short_coupons,
    short_goal,
)
from journeyflow.core.check.rules.ways import endless_waits, idle_loops, unreachable
from journeyflow.core.check.subject import Around, Subject

OF_JOURNEYS: Final[tuple[Callable[[Subject], Iterator[Finding]], ...]] = (
    unreachable,
    idle_loops,
    endless_waits,
    hidden_cases,
    short_goal,
    early_opens,
    short_coupons,
    unknown_variables,
    messages_without_topic,
    shared_triggers,
    quiet_times,
    goals_that_go_on,
    blanks_around_names,
    crowded_schedules,
)


def warnings(around: Around, of: Set[tuple[str, str]]) -> Iterator[Finding]:
    """Whatever is doubtful in those documents, by (kind, id), which are without errors; of archived ones nothing."""
    for journey in around.documents.journeys.values():
        if ("journey", journey.journey) in of and journey.status != "archived":
            subject = Subject(journey, around)
            for rule in OF_JOURNEYS:
                yield from rule(subject)
    for template in around.documents.templates.values():
        if ("template", template.template) in of:
            yield from unknown_roots(template, around)
    archived = {("journey", one.journey) for one in around.documents.journeys.values() if one.status == "archived"}
    for found in doubtful_values(around):
        if (found.kind, found.id) in of - archived:
            yield found
