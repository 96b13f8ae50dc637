"""Journeys rehearsed step by step in a test: the simulator, moved by hand, and what a team wants to ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from journeyflow.core.contact import Coupon
from journeyflow.core.effects import Call, Message, TrailRecord
from journeyflow.core.errors import InvalidValue, NotFound
from journeyflow.core.inputs import Appear, Enroll, Event, Identify, Input, Merge, SetTags
from journeyflow.core.local_time import zone
from journeyflow.core.survey import Survey
from journeyflow.core.template import Template
from journeyflow.core.values import JSON, iso, parse_duration, parse_instant
from journeyflow.core.workspace import DEFAULT
from journeyflow.rendering.message import Footer, RenderedEmail
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.rendering.survey_tag import ShownSurvey
from journeyflow.services.check import check_folder
from journeyflow.services.explain_steps import steps
from journeyflow.services.explain_words import REFUSED, Document, because_lines, local
from journeyflow.services.letters import own_subject
from journeyflow.services.simulate import Simulator, choose
from journeyflow.services.simulate_input import Timeline
from journeyflow.services.told_plainly import told_plainly

START: Final = "2026-01-05T10:00:00Z"
"""A Monday morning: when a test begins that does not say."""
LINKS: Final = "https://links.example"


@cache
def _renderer() -> LiquidRenderer:
    """One for all tests of a process, so that a template is compiled once."""
    return LiquidRenderer()


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message of a journey as its contact sees it.

    ``status`` is ``sent``, or ``skipped`` with the ``reason`` of rule 5.1; of a skipped one there is no text. ``html``
    and ``text`` are whole, with the footer that marketing mail carries; an SMS or a push message is its ``text`` alone.
    ``template`` is ``None`` where the node itself has the text.
    """

    contact: str
    journey: str
    node: str
    channel: str
    template: str | None
    to: str | None
    topic: str | None
    at: datetime
    status: str
    reason: str | None
    subject: str
    preheader: str
    text: str = field(repr=False)
    html: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SeenCall:
    """What a webhook node asks of another system; ``json`` is the body, ``None`` where there is none."""

    journey: str
    node: str
    at: datetime
    method: str
    url: str
    headers: dict[str, str]
    json: JSON


_UNSEEN: Final = RenderedEmail("", "", "", "")


class JourneyTest:
    """Journeys of a folder on a clock that a test moves, through the core that runs live.

    Nothing is sent, and there is no database. What is due at the instant that the clock is moved to has happened when
    ``advance`` returns.
    """

    @told_plainly
    def __init__(
        self,
        flows: str | Path,
        *,
        only: str | Sequence[str] = (),
        at: str | datetime = START,
        seed: int = 0,
    ) -> None:
        """Publish the journeys of a folder (all of them, or ``only`` those named) at an instant.

        :param at: when the clock starts; ISO 8601, local to the workspace where it has no offset.
        :param seed: makes the coupon codes.
        :raises InvalidDocuments: with everything that is wrong in the folder.
        :raises NotFound: for a journey that is not there.
        :raises InvalidValue: when ``at`` is no instant.
        """
        checked = check_folder([Path(flows)], _renderer()).demand()
        self._documents = choose(checked.documents, (only,) if isinstance(only, str) else tuple(only))
        self._sources: dict[str, Document] = {one.id: one.data for one in checked.sources if one.kind == "journey"}
        self._workspace = self._documents.workspace or DEFAULT
        self._now = self._instant(at)
        self._records: list[TrailRecord] = []
        self._messages: list[Message] = []
        self._calls: list[Call] = []
        self._known: set[str] = set()
        self._simulator = Simulator(
            self._documents,
            _renderer(),
            Timeline(self._now, self._now, []),
            seed,
            self._records.append,
            self._messages.append,
            self._calls.append,
        )

    # --- what happens -------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """Where the clock stands."""
        return self._now

    @told_plainly
    def contact(self, key: str, /, *, tags: Sequence[str] = (), **attributes: object) -> None:
        """A contact that was there before the test: it lets nobody in. ``created_at`` may be among the attributes."""
        given = _json(attributes)
        created_at = parse_instant(given.get("created_at")) or self._now
        self._handle(key, Appear(self._now, created_at, given, tuple(tags)))

    @told_plainly
    def identify(self, key: str, /, **attributes: object) -> None:
        """New values of attributes (``None`` takes one away); a contact that is not there yet is created."""
        self._handle(key, Identify(self._now, _json(attributes)))

    @told_plainly
    def merge(self, key: str, into: str, /) -> None:
        """The contact turns out to be another one: what happened to it, and what comes later, is the other's."""
        self._known.add(into)
        self._handle(key, Merge(self._now, into))

    @told_plainly
    def track(self, key: str, event: str, /, **properties: object) -> None:
        """The contact sends an event, at the instant where the clock stands."""
        self._handle(key, Event(self._now, event, self._now, _json(properties)))

    @told_plainly
    def add_tags(self, key: str, /, *tags: str) -> None:
        """Put tags on the contact."""
        self._handle(key, SetTags(self._now, add=tags))

    @told_plainly
    def remove_tags(self, key: str, /, *tags: str) -> None:
        """Take tags off the contact."""
        self._handle(key, SetTags(self._now, remove=tags))

    @told_plainly
    def enroll(self, key: str, journey: str, /, **properties: object) -> None:
        """Let the contact into a journey by hand.

        :raises NotFound: when there is no such journey, or no such contact.
        """
        choose(self._documents, (journey,))
        self._handle(self._sure(key), Enroll(self._now, journey, _json(properties)))

    @told_plainly
    def advance(self, duration: str | timedelta) -> None:
        """Let time pass: ``run.advance("30m")``.

        :raises InvalidValue: when it is no duration, or leads back.
        """
        self.advance_to(self._now + (parse_duration(duration) if isinstance(duration, str) else duration))

    @told_plainly
    def advance_to(self, instant: str | datetime) -> None:
        """Let time pass until an instant, itself included.

        :raises InvalidValue: when it is no instant, or is past.
        """
        until = self._instant(instant)
        if until < self._now:
            raise InvalidValue(f"time does not run backwards: it is {iso(self._now)}, and {iso(until)} is before that")
        self._now = until
        self._simulator.advance(until)

    def _handle(self, key: str, item: Input) -> None:
        self._known.add(key)
        self._simulator.take(key, item)
        self._simulator.advance(self._now)

    def _instant(self, given: str | datetime) -> datetime:
        text = given.isoformat() if isinstance(given, datetime) else given
        found = parse_instant(text, zone(self._workspace.timezone))
        if found is None:
            raise InvalidValue(f"expected an instant such as 2026-03-02T10:00Z, found {given!r}")
        return found

    # --- what became of it --------------------------------------------------------------------------------------------

    @told_plainly
    def messages(self, key: str, /) -> list[SeenMessage]:
        """The messages that the contact got, in order."""
        return self._with_status(key, "queued")

    @told_plainly
    def skipped(self, key: str, /) -> list[SeenMessage]:
        """The messages that the contact did not get, each with its reason."""
        return self._with_status(key, "skipped")

    @told_plainly
    def calls(self, key: str, /) -> list[SeenCall]:
        """The webhooks that were called for the contact, in order; each has been answered with the node's sample."""
        sure = self._sure(key)
        return [
            SeenCall(
                one.journey, one.node, one.queued_at, one.method, one.url, one.headers,
                None if one.body is None else orjson.loads(one.body),
            )
            for one in self._calls
            if one.contact == sure
        ]  # fmt: skip

    @told_plainly
    def exits(self, key: str, /) -> list[str]:
        """The reasons for which the contact's runs left, in order (rule 7.1); who completed did not leave."""
        return [str(one.detail["reason"]) for one in self._own(key) if one.kind == "exited"]

    @told_plainly  # Any: so that a test may reach into `detail` without a cast
    def trail(self, key: str, /) -> list[dict[str, Any]]:
        """The contact's trail records (rule 9.1), in order."""
        return [{**one._asdict(), "at": iso(one.at)} for one in self._own(key)]

    @told_plainly
    def tags(self, key: str, /) -> list[str]:
        """The contact's tags, in the order in which they came."""
        return list(self._simulator.contact(self._sure(key)).tags)

    @told_plainly
    def attributes(self, key: str, /) -> dict[str, JSON]:
        """The contact's attributes, ``email`` among them."""
        return dict(self._simulator.contact(self._sure(key)).attributes)

    @told_plainly
    def coupons(self, key: str, /) -> list[Coupon]:
        """The coupon codes that the contact got, in order."""
        return list(self._simulator.contact(self._sure(key)).coupons)

    @told_plainly
    def explain(self, key: str, /) -> str:
        """What happened to the contact, and why, in words: worth printing when a test fails."""
        told = [line for story in self._stories(key) for line in story]
        return "\n".join(told) if told else f"no journey has let {key} in, and none has refused it"

    def _sure(self, key: str) -> str:
        """The key; a misspelled one would make a test pass that should not."""
        if key not in self._known:
            raise NotFound(f"no contact {key!r} in this test; there are {', '.join(sorted(self._known)) or 'none'}")
        return key

    def _own(self, key: str) -> list[TrailRecord]:
        person = self._person(key)
        return [one for one in self._records if self._simulator.resolve(one.contact) == person]

    def _person(self, key: str) -> str:
        """The key the contact goes by now."""
        return self._simulator.resolve(self._sure(key))

    def _with_status(self, key: str, status: str) -> list[SeenMessage]:
        person = self._person(key)
        mine = [one for one in self._messages if self._simulator.resolve(one.contact) == person]
        return [self._seen(one) for one in mine if one.status == status]

    def _seen(self, message: Message) -> SeenMessage:
        mail = _UNSEEN if message.status == "skipped" else self._rendered(message)
        return SeenMessage(
            contact=message.contact,
            journey=message.journey,
            node=message.node,
            channel=message.channel,
            template=message.template,
            to=message.to,
            topic=message.topic,
            at=message.queued_at,
            status="sent" if message.status == "queued" else message.status,
            reason=message.reason,
            subject=mail.subject,
            preheader=mail.preheader,
            text=mail.text,
            html=mail.html,
        )

    def _rendered(self, message: Message) -> RenderedEmail:
        footer = Footer(
            postal_address=self._workspace.postal_address,
            unsubscribe_url=f"{LINKS}/u/{message.id}",
            preferences_url=f"{LINKS}/p/{message.id}",
            appended=not message.transactional,
        )
        own = {"template": "text", "channel": message.channel, "body": message.overrides.get("text")}
        name = message.template
        template = Template.model_validate(own) if name is None else self._documents.templates[name]
        compiled = _renderer().message(template, self._documents.parts)
        surveys = {id_: _shown(self._documents.surveys[id_], message.id) for id_ in compiled.surveys}
        return compiled.render(message.values, footer, surveys, own_subject(message.overrides))

    def _stories(self, key: str) -> Iterator[list[str]]:
        """A paragraph for each run, refusals between them."""
        runs: dict[str, list[TrailRecord]] = {}
        for record in self._own(key):
            if record.run is None:
                reason = str(record.detail["reason"])
                yield [
                    f"{record.journey} refused at {self._local(record)}: {reason} ({REFUSED.get(reason, reason)})",
                    *_indented(because_lines(record.detail)),
                ]
            else:
                runs.setdefault(record.run, []).append(record)
        yield from (self._story(records) for records in runs.values())

    def _story(self, records: Sequence[TrailRecord]) -> list[str]:
        own = self._simulator.contact(records[0].contact).attributes.get("timezone")
        document = self._sources[records[0].journey]
        here = zone(own, document.get("timezone"), self._workspace.timezone)
        lines = [f"{records[0].journey}, run {records[0].run}"]
        for step in steps(records, {records[0].version: document}, here, {}):
            lines.append(f"  {local(step.at, here)}  {step.node or '-'}: {step.text}")
            lines.extend(_indented(step.because))
        return lines

    def _local(self, record: TrailRecord) -> str:
        own = self._simulator.contact(record.contact).attributes.get("timezone")
        return local(record.at, zone(own, self._workspace.timezone))


def _shown(survey: Survey, message: str) -> ShownSurvey:
    links = ((one.label, f"{LINKS}/s/{message}/{survey.survey}/{one.id}") for one in survey.choices)
    return ShownSurvey(survey.question, tuple(links))


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"      {line}" for line in lines)


def _json(values: Mapping[str, object]) -> dict[str, JSON]:
    """The values as an SDK would send them: copied, instants as ISO 8601.

    :raises TypeError: for what JSON can't hold.
    """
    copied: dict[str, JSON] = orjson.loads(orjson.dumps(values))
    return copied
