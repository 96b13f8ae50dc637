"""What the answer to a survey makes of a contact (rule 2.1)."""

from __future__ import annotations

from journeyflow.core.decision import Decision
from journeyflow.core.inputs import Event
from journeyflow.core.values import parse_path


def answer(decision: Decision, event: Event) -> None:
    """Set the attributes of the choice, put its tag on, and take that of the former choice off.

    An unknown survey or answer changes nothing, and neither does history (rule 1.11).
    """
    id_ = event.properties.get("survey")
    survey = decision.library.surveys.get(id_) if isinstance(id_, str) else None
    chosen = survey.choice(event.properties.get("answer")) if survey is not None else None
    if survey is None or chosen is None or event.imported:
        return
    contact = decision.contact
    former = survey.choice(contact.answers.get(survey.survey))
    contact.answers[survey.survey] = chosen.id
    decision.set_attributes([(parse_path(path), value) for path, value in chosen.set.items()])
    left = former.tag if former is not None and former.tag != chosen.tag else None
    decision.change_tags([chosen.tag] if chosen.tag else [], [left] if left else [])
