"""Answers to surveys as events: each answer once, however often its link is opened."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from itertools import groupby

from sqlalchemy import Connection

from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.db import history, timeline

NAME = "Survey Answered"


def answered(connection: Connection, contact: str, message: str, survey: str, choice: str, now: datetime) -> Event:
    """The event that a contact's answer is, by an identity that the same answer to the same message has again.

    Part of it is how often the contact's answer had changed before: who changes an answer and changes it back has given
    three answers, who opens a link again only one. What waits for its turn is looked at too.
    """
    given = [*history.event_properties(connection, contact, NAME), *_still_to_come(connection, contact)]
    changes = [answer for answer, _ in groupby(one.get("answer") for one in given if one.get("survey") == survey)]
    number = len(changes) - 1 if changes[-1:] == [choice] else len(changes)
    identity = f"{NAME}\x1f{message}\x1f{survey}\x1f{choice}\x1f{number}"
    properties: dict[str, JSON] = {"survey": survey, "answer": choice}
    return Event(now, NAME, now, properties, sha256(identity.encode()).hexdigest())


def _still_to_come(connection: Connection, contact: str) -> list[dict[str, JSON]]:
    waiting = (item for _, item in timeline.still_to_come(connection, [contact]))
    return [item.properties for item in waiting if isinstance(item, Event) and item.name == NAME]
