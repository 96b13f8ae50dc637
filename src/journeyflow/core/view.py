"""What a condition, a reference or a text can see: one contact, at one instant, perhaps with an event and a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from journeyflow.core.address import first_written
from journeyflow.core.contact import Address, Contact, Memory, PastEvent, Run
from journeyflow.core.correspondence import Correspondence
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.effects import Effects, StoredEvent
from journeyflow.core.errors import TemplateError
from journeyflow.core.identity import normal_address
from journeyflow.core.local_time import EARLIEST, zone
from journeyflow.core.segment import Segment
from journeyflow.core.standing import Standing, standing_of
from journeyflow.core.survey import Survey
from journeyflow.core.template import Layout, Partial, Parts, Template
from journeyflow.core.values import JSON, MISSING, Missing, PathKeys, Ref, iso, look_up, parse_path
from journeyflow.core.workspace import Tracking, Workspace, nearest


class CompiledText(Protocol):
    """A Liquid text, ready to be filled in."""

    @property
    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The paths that the text reads, such as ``("contact", "first_name")``."""
        ...

    def render(self, values: Mapping[str, JSON]) -> str:
        """The text with the values filled in.

        :raises TemplateError: when it fails or grows too large.
        """
        ...


class CompiledMessage(Protocol):
    """A whole template, ready to be filled in."""

    @property
    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The paths that the template reads, such as ``("contact", "first_name")``."""
        ...

    @property
    def can_fail(self) -> bool:
        """Whether filling it in can fail, so that it has to be tried before the message is queued."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """The other documents that the template is made of, as ``layout:shop``, ``partial:end``, ``survey:taste``."""
        ...

    def attempt(self, values: Mapping[str, JSON]) -> None:
        """Fill it in and throw the result away.

        :raises TemplateError: when it fails.
        """
        ...


class Mention(NamedTuple):
    """A document that a text names: where (the field, and the line in it), and its id."""

    path: str
    line: int
    id: str


class Alone(NamedTuple):
    """What the texts of one document say: what they name, once each for every text, and what is wrong with them.

    Of each text the first error; what it names is told as far as it can be read.
    """

    partials: list[Mention]
    surveys: list[Mention]
    errors: list[TemplateError]


class Renderer(Protocol):
    """The template language, handed to the core as an argument."""

    def text(self, source: str) -> CompiledText:
        """Compile a text field of an action.

        :raises TemplateError: on a syntax error, naming the line.
        """
        ...

    def message(self, template: Template, parts: Parts) -> CompiledMessage:
        """Compile a whole template, the layout and the partials that it names included.

        :raises TemplateError: on a syntax error, or a part that is not there; names the part and the line.
        """
        ...

    def alone(self, document: Template | Layout | Partial) -> Alone:
        """What the texts of a document say by themselves, whatever goes into them and whatever they are put into."""
        ...


class StoredTemplate(NamedTuple):
    """A template in use: its version, what it was compiled to, what it says of tracking, and what went into it.

    ``parts`` are the versions of its parts by kind and id, ``layout:shop``; a message keeps them, so that it is filled
    in with these very versions.
    """

    version: int
    compiled: CompiledMessage
    tracking: Tracking | None = None
    parts: Mapping[str, int] = {}


@dataclass(slots=True)
class Library:
    """The documents that are looked up live (rule 8.5), and the template language.

    Before ``begins`` segments and stages are not there yet: a simulation publishes everything at its clock's start.
    """

    workspace: Workspace
    templates: Mapping[str, StoredTemplate]
    pools: Mapping[str, CouponPool]
    renderer: Renderer
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    tracking: dict[str, Tracking] = field(default_factory=dict)
    """What journeys say of tracking, by id."""
    segments: Mapping[str, Segment] = field(default_factory=dict)
    begins: datetime = EARLIEST
    standing: Standing = field(init=False)
    _topics: dict[str, bool] = field(default_factory=dict)
    _tracked_alike: bool = field(init=False)

    def __post_init__(self) -> None:
        self.stand()
        self._topics = {topic.id: topic.default == "subscribed" for topic in self.workspace.topics}

    def stand(self) -> None:
        """Prepare the definitions by which contacts are judged, as everything stands that they are read by."""
        said: dict[str, JSON] = {
            f"template:{name}": _said(one.tracking) for name, one in self.templates.items() if one.tracking is not None
        }
        said.update((f"journey:{name}", _said(tracking)) for name, tracking in self.tracking.items())
        self._tracked_alike = not said
        self.standing = standing_of(self.workspace, self.segments, said)

    def topic_default(self, topic: str) -> bool:
        """Whether who has said nothing is subscribed to the topic."""
        return self._topics.get(topic, False)

    def tracks(self, what: Literal["opens", "clicks"], journey: str | None, template: str | None) -> bool:
        """Whether opens (or clicks) of such e-mails are noticed: the template says, else the journey, else the shop."""
        if self._tracked_alike:
            return self.workspace.tracking.opens if what == "opens" else self.workspace.tracking.clicks
        stored = None if template is None else self.templates.get(template)
        of_journey = None if journey is None else self.tracking.get(journey)
        if (stored is None or stored.tracking is None) and of_journey is None:
            return bool(getattr(self.workspace.tracking, what))
        said = nearest(None if stored is None else stored.tracking, of_journey, self.workspace.tracking)
        return bool(getattr(said, what))


def _said(tracking: Tracking) -> JSON:
    return tracking.model_dump(exclude_unset=True)


class View:
    """One contact at one instant.

    ``event`` holds the properties of the event at hand; ``origin`` those of the event that may begin a run, which
    ``trigger.`` and ``event.`` name as long as there is none.
    """

    __slots__ = (
        "_zone",
        "_zone_of",
        "contact",
        "correspondence",
        "effects",
        "event",
        "fresh",
        "library",
        "memory",
        "now",
        "origin",
        "run",
        "timezone",
    )

    def __init__(
        self,
        contact: Contact,
        now: datetime,
        library: Library,
        memory: Memory,
        effects: Effects,
        correspondence: Correspondence | None = None,
    ) -> None:
        self.contact = contact
        self.correspondence = Correspondence(contact.key, memory) if correspondence is None else correspondence
        self.now = now
        self.library = library
        self.memory = memory
        self.effects = effects
        self.fresh: list[StoredEvent] = []
        self.event: dict[str, JSON] | None = None
        self.origin: dict[str, JSON] | None = None
        self.run: Run | None = None
        self.timezone: str | None = None
        self._zone: ZoneInfo | None = None
        self._zone_of: JSON = None

    def of(self, run: Run | None, event: dict[str, JSON] | None, timezone: str | None) -> View:
        """The same contact and instant, seen from a run or from an event that may begin one."""
        seen = View(self.contact, self.now, self.library, self.memory, self.effects, self.correspondence)
        seen.fresh = self.fresh
        seen.run, seen.event, seen.timezone = run, event, timezone
        seen.origin = event
        return seen

    def probe(self) -> View:
        """The same view for looking at one past event after the other; what references name stays what it is."""
        seen = self.of(self.run, None, self.timezone)
        seen.origin = self.origin
        return seen

    @property
    def zone(self) -> ZoneInfo:
        """Where the contact is (format.md, "Local"); it may move while it is looked at."""
        own = self.contact.attributes.get("timezone")
        if self._zone is None or own is not self._zone_of:
            self._zone_of = own
            self._zone = zone(own if isinstance(own, str) else None, self.timezone, self.library.workspace.timezone)
        return self._zone

    def attribute(self, keys: PathKeys) -> JSON | Missing:
        if keys == ("created_at",) and "created_at" not in self.contact.attributes:
            created = self.contact.created_at
            return MISSING if created is None else iso(created)
        if keys == ("stage",) and self._has_stages():
            stage = self.of(None, None, None).stage()
            return MISSING if stage is None else stage
        return look_up(self.contact.attributes, keys)

    def attribute_change(self, keys: PathKeys) -> datetime | None:
        """When time alone can next change an attribute: only the stage is such a one."""
        return self.of(None, None, None).stage_change() if keys == ("stage",) and self._has_stages() else None

    def event_property(self, keys: PathKeys) -> JSON | Missing:
        return look_up(self._last_event() if self.event is None else self.event, keys)

    def variable(self, keys: PathKeys) -> JSON | Missing:
        return MISSING if self.run is None else look_up(self.run.vars, keys)

    def _last_event(self) -> dict[str, JSON] | None:
        if self.run is None:
            return self.origin
        return self.run.trigger if self.run.event is None else self.run.event

    def find(self, path: str) -> JSON | Missing:
        """The value that a reference's path names; before there is a run, trigger and event are the event at hand."""
        root, *keys = parse_path(path)
        if root == "contact":
            return self.attribute(tuple(keys))
        if root == "trigger":
            return look_up(self.run.trigger if self.run is not None else self.origin, tuple(keys))
        if root == "event":
            return look_up(self._last_event(), tuple(keys))
        return self.variable(tuple(keys))

    def resolve(self, value: object) -> JSON | Missing:
        """A literal as it is, a reference looked up; in a list what is missing is left out."""
        if isinstance(value, Ref):
            return self.find(value.ref)
        if isinstance(value, list) and any(isinstance(one, Ref | list) for one in value):
            return [one for one in map(self.resolve, value) if not isinstance(one, Missing)]
        return value  # type: ignore[return-value]  # JSON by model

    def past(self, name: str, since: datetime | None) -> Iterable[PastEvent]:
        """The contact's events of that name handled after ``since``, those of the present turn included."""
        stored = self.memory.events(self.contact.key, name, since)
        if not self.fresh:
            return stored
        fresh = [
            PastEvent(one.number, one.occurred_at, one.handled_at, one.properties)
            for one in self.fresh
            if one.name == name and (since is None or one.handled_at > since)
        ]
        return [*stored, *fresh] if fresh else stored

    @property
    def retention(self) -> timedelta:
        """How long events are kept."""
        return self.library.workspace.retention.events

    @property
    def kept(self) -> timedelta:
        """How long messages are kept."""
        return self.library.workspace.retention.messages

    def tracks(
        self, what: Literal["opened", "clicked"], channel: str, journey: str | None, template: str | None
    ) -> bool:
        """Whether it would be known that such messages were opened (or clicked): of e-mails, if the contact likes."""
        declined = self.contact.attributes.get("tracking") is False
        return (
            channel == "email"
            and not declined
            and self.library.tracks("opens" if what == "opened" else "clicks", journey, template)
        )

    # --- where the contact stands -------------------------------------------------------------------------------------

    def in_segment(self, segment: str) -> bool | None:
        """Whether the segment's definition holds; ``None`` where there is no such segment any more."""
        found = self.library.segments.get(segment)
        return None if found is None else found.when.holds(self.of(None, None, None))

    def segment_change(self, segment: str) -> datetime | None:
        """When time alone can next change that."""
        found = self.library.segments.get(segment)
        return None if found is None else found.when.next_change(self.of(None, None, None))

    def _has_stages(self) -> bool:
        return bool(self.library.workspace.stages)

    def stage(self) -> str | None:
        """The stage that a node set, as long as there is such a one, else the last whose condition holds."""
        stages = self.library.workspace.stages
        wanted = self.contact.stage_set
        if wanted is not None and any(stage.id == wanted for stage in stages):
            return wanted
        return next((one.id for one in reversed(stages) if one.when is not None and one.when.holds(self)), None)

    def stage_change(self) -> datetime | None:
        """When time alone can next change the stage."""
        stages = self.library.workspace.stages
        if self.contact.stage_set is not None and any(stage.id == self.contact.stage_set for stage in stages):
            return None
        earliest: datetime | None = None
        for one in reversed(stages):  # what comes before the stage that holds makes no difference while it does
            edge = None if one.when is None else one.when.next_change(self)
            if edge is not None and (earliest is None or edge < earliest):
                earliest = edge
            if one.when is not None and one.when.holds(self):
                break
        return earliest

    def in_journey(self, journey: str) -> bool:
        """Whether a run of that journey is active."""
        return any(run.active and run.journey == journey for run in self.contact.runs)

    def left_journey(self, journey: str) -> datetime | None:
        """When the contact's last run of that journey ended, of those that have; held-out ones are none."""
        left = self.memory.left_journey(self.contact.key, journey)
        for run in self.contact.runs:
            ended = run.ended_at if run.journey == journey and run.status != "holdout" else None
            if ended is not None and (left is None or ended > left):
                left = ended
        return left

    # --- addresses ----------------------------------------------------------------------------------------------------

    def address(self) -> Address:
        """What is known of the contact's e-mail address; of another one of its addresses where it has none."""
        known = first_written(self.contact.attributes)
        return Address() if known is None else self.address_of(*known)

    def address_of(self, channel: str, address: str) -> Address:
        """What is known of any address, changes of the present turn included."""
        changed = None
        if self.effects.addresses:
            changed = self.effects.addresses.get((channel, normal_address(channel, address)))
        return self.memory.address(channel, address) if changed is None else changed

    def subscribed(self, topic: str) -> bool:
        """Whether the contact consents to the topic, and has not unsubscribed from everything."""
        return self.consents(topic) and not self.address().unsubscribed

    def consents(self, topic: str) -> bool:
        """Whether the contact consents to the topic, "everything" aside."""
        consent = self.contact.topics.get(topic)
        return self.library.topic_default(topic) if consent is None else consent
