"""What the API answers and takes, as models for its OpenAPI document (interfaces.md, "Shapes")."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from journeyflow.api.paging import Page
from journeyflow.core.instructions import ResumeMode
from journeyflow.core.values import JSON, NodeName, PositiveDuration

Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
ContactKey = Annotated[str, Field(min_length=1, max_length=255, description="the contact's key: its userId")]
Tag = Annotated[str, Field(min_length=1, max_length=200)]
Attributes = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=200)], JSON],
    Field(description="`null` takes an attribute away; others stay as they are"),
]
JourneyStatus = Literal["draft", "live", "entries_paused", "paused", "archived"]
RunStatus = Literal["active", "completed", "exited", "holdout"]
MessageStatus = Literal["queued", "sending", "sent", "failed", "skipped", "cancelled"]


class Body(BaseModel):
    """A body that is taken; unknown members are errors."""

    model_config = ConfigDict(extra="forbid")


# --- runs, trail, messages -------------------------------------------------------------------------------------------


class Run(BaseModel):
    """One passage of one contact through one version of a journey."""

    id: str
    contact: str
    journey: str
    version: int
    status: RunStatus
    node: str | None = Field(description="where an active run stands")
    due_at: Instant | None = Field(description="when its wait ends; null where time alone does not end it")
    entered_at: Instant
    ended_at: Instant | None
    reason: str | None = Field(description="why it was left")


class TrailRecord(BaseModel):
    """One step (rule 9.1)."""

    at: Instant
    contact: str
    journey: str
    version: int
    run: str | None
    seq: int | None
    kind: str
    node: str | None
    type: str | None
    detail: dict[str, JSON]


class CountedRecord(TrailRecord):
    """A refused entry, of which the last one of a day is kept: ``count`` says how many there were."""

    count: int


class Message(BaseModel):
    """A message to one contact."""

    id: str
    contact: str
    journey: str
    node: str
    run: str
    channel: str
    template: str | None = Field(description="null where the node itself has the text")
    to: str | None
    subject: str | None = Field(description="as it was sent; null before")
    status: MessageStatus
    reason: str | None
    queued_at: Instant
    sent_at: Instant | None


class SentMessage(Message):
    """A message as its contact sees it."""

    html: str | None = Field(description="null where it can't be shown, such as a skipped one")
    text: str | None
    headers: dict[str, str]


class Event(BaseModel):
    """Something that happened to a contact."""

    name: str
    occurred_at: Instant
    claimed_at: Instant | None = Field(description="what an event claimed that pretended to come from the future")
    properties: dict[str, JSON]


class Happening(BaseModel):
    """One entry of a timeline: an event, a step of a run (or a refused entry), or a message."""

    at: Instant
    kind: Literal["event", "step", "refusal", "message"]
    event: Event | None = None
    # In this order: what has a count would be a record as well, without it.
    step: CountedRecord | TrailRecord | None = Field(
        default=None, union_mode="left_to_right", description="of kinds `step` and `refusal`"
    )
    message: Message | None = None
    note: str | None = Field(default=None, description="of a message: what its status does not say")


# --- contacts --------------------------------------------------------------------------------------------------------


class Contact(BaseModel):
    """One contact; ``runs`` are the active ones."""

    contact: str
    email: str | None
    attributes: dict[str, JSON]
    tags: list[str]
    topics: dict[str, bool] = Field(description="whether the contact is subscribed to each topic")
    stage: str | None
    suppressed: bool = Field(description="nothing is sent to its address, not even what is transactional")
    created_at: Instant | None
    runs: list[Run]


class ShownContact(Contact):
    """One contact, and what else keeps messages from it, where there is something."""

    unsubscribed: bool = Field(
        default=False, description="from everything, at its e-mail address: it gets no topic that it chooses"
    )
    unusable: list[str] = Field(default=[], description="such as `email`, its value, and what comes of it")


class ContactTags(BaseModel):
    """The tags that a contact has."""

    tags: list[str]


class ContactTopics(BaseModel):
    """What a contact gets."""

    topics: dict[str, bool] = Field(description="whether the contact is subscribed to each topic")


class Enrolled(Contact):
    """The contact after it was enrolled: the run that began, or why it was refused (rule 3.1)."""

    run: str | None
    refused: str | None


class NewContact(Body):
    """A contact to be made, or what is new about one that exists."""

    contact: ContactKey
    email: str | None = Field(default=None, max_length=320)
    attributes: Attributes = {}
    tags: list[Tag] = Field(default=[], max_length=100, description="to be put on; others stay")
    topics: dict[str, bool] = {}


class ContactChange(Body):
    """What is new about a contact."""

    email: str | None = Field(default=None, max_length=320, description="null takes it away")
    attributes: Attributes = {}


class TagChange(Body):
    """Tags to put on and to take off."""

    add: list[Tag] = Field(default=[], max_length=100)
    remove: list[Tag] = Field(default=[], max_length=100)


class TopicChange(Body):
    """Consent given (true) or taken away (false), by topic."""

    topics: dict[str, bool] = Field(min_length=1, max_length=200)


# --- documents -------------------------------------------------------------------------------------------------------


class DocumentInfo(BaseModel):
    """One document: its newest version, without its text."""

    kind: str
    id: str
    version: int
    status: Literal["published", "stored"] = Field(description="stored: the text of a draft")
    name: str | None
    at: Instant


class DocumentSet(Body):
    """Documents as in a flows folder."""

    documents: list[dict[str, JSON]] = Field(max_length=10_000)
    prune: bool = Field(default=False, description="also remove what is not among them")
    dry_run: bool = Field(default=False, description="only say what would be done")


class DocumentProblem(BaseModel):
    """Something wrong, or doubtful, in a document."""

    document: str
    line: int | None = Field(description="of the text that was sent, from 1")
    path: str
    detail: str
    code: str
    value: str | None
    severity: Literal["error", "warning"]


class Checked(BaseModel):
    """The verdict on a set of documents together with those of the installation."""

    valid: bool
    problems: list[DocumentProblem]


class Change(BaseModel):
    """One document that is added, changed or removed."""

    kind: str
    id: str
    what: Literal["added", "changed", "removed"]
    differences: list[str] = Field(description="`path: old → new`")
    in_flight: dict[str, int] = Field(description="how many runs stand at each node that changed or goes")
    blocked: str | None = Field(description="what has to be done before, where it can't be made as things stand")
    exiting: int | None = Field(
        description="how many runs exit because this archives their journey, which is final; null where it does not"
    )


class Changes(BaseModel):
    """What applying changes, or changed."""

    changes: list[Change]
    applied: bool
    notes: list[str] = Field(description="where the installation stands otherwise than unchanged documents say")


# --- journeys --------------------------------------------------------------------------------------------------------


class Journey(BaseModel):
    """How a journey stands."""

    id: str
    name: str | None
    status: JourneyStatus
    version: int = Field(description="the newest published one; 0 where there is none")
    published_at: Instant | None
    paused_at: Instant | None


class JourneyDetail(Journey):
    """A journey with its document, the newest text."""

    document: dict[str, JSON]


class Resumed(Journey):
    """A journey that goes on."""

    overdue: int = Field(description="runs that were overdue by more than a day")


class Crowd(BaseModel):
    """Runs that stand at a node of an older version, and where they go."""

    version: int
    node: str
    to: str = Field(description="a node of the newest version, or `exit`: they leave the journey")
    runs: int


class Migrated(Journey):
    """A journey whose runs go to its newest version, ``version``."""

    dry_run: bool = Field(description="whether nothing was changed")
    nodes: list[Crowd] = Field(description="as runs stand now, by version and node; empty where nobody has to move")


class JourneyVersion(BaseModel):
    """One version of a journey's document; they never change."""

    version: int
    status: Literal["published", "stored", "removed"]
    at: Instant


class NodeNumbers(BaseModel):
    """How often a node was visited, and how many runs stand there."""

    visits: int
    waiting: int


class JourneyStats(BaseModel):
    """The journey's object of ``simulate --json``."""

    entered: int
    refused: dict[str, int]
    active: int
    completed: int
    exited: dict[str, int]
    converted: int
    holdout: int
    holdout_converted: int
    nodes: dict[str, NodeNumbers]


class Pause(Body):
    """How to pause."""

    entries: bool = Field(default=False, description="only let nobody in; runs go on")


class Resume(Body):
    """How runs go on whose time came while the journey was paused: by ``mode``, or in short by the member of its name.

    Where some are overdue by more than a day, one has to be chosen.
    """

    mode: ResumeMode | None = Field(
        default=None,
        description="`now`: at once; `over`: spread over a time; `shift`: every due time moves by the length of the "
        "pause; `skip`: at once, past the messages that are late",
    )
    now: bool = False
    over: PositiveDuration | None = Field(default=None, description="the time of `over`, such as `2h`")
    shift: bool = False
    skip: bool = False


class Migrate(Body):
    """Where the runs of older versions go."""

    map: dict[NodeName, NodeName] = Field(
        default={},
        max_length=5_000,
        description="by node of an older version a node of the newest, or `exit`; nodes without an entry go to the "
        "node of the same name",
    )
    dry_run: bool = Field(default=False, description="only say who would go where")


class RunMove(Body):
    """Where a run is sent."""

    node: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="it goes on from there at once")
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="a published version of its journey; absent: the one that it is on"
    )


class Enroll(Body):
    """A contact to be let in by hand."""

    contact: ContactKey
    properties: dict[str, JSON] = Field(default={}, description="what the run gets as `trigger.`")


# --- segments --------------------------------------------------------------------------------------------------------


class Segment(BaseModel):
    """A named condition over contacts."""

    id: str
    name: str | None
    description: str | None
    version: int


class SegmentDetail(Segment):
    """A segment with its document."""

    document: dict[str, JSON]


class SegmentCount(BaseModel):
    """How many contacts are in a segment now."""

    segment: str
    count: int


# --- keys ------------------------------------------------------------------------------------------------------------


class Key(BaseModel):
    """What is known of a key; the key itself is not kept."""

    id: str
    scope: Literal["browser", "write", "read", "admin"]
    name: str | None
    created_at: Instant
    revoked_at: Instant | None


class NewKey(Body):
    """A key to be made."""

    scope: Literal["browser", "write", "read", "admin"]
    name: str | None = Field(default=None, min_length=1, max_length=200)


class MadeKey(Key):
    """A new key; it is shown now and never again."""

    key: str


ContactPage = Page[Contact]
RunPage = Page[Run]
TrailPage = Page[TrailRecord]
MessagePage = Page[Message]
TimelinePage = Page[Happening]
DocumentPage = Page[DocumentInfo]
JourneyPage = Page[Journey]
VersionPage = Page[JourneyVersion]
KeyPage = Page[Key]
SegmentPage = Page[Segment]
