"""Templates to look at: filled in with a contact or with sample values, or sent to somebody as a test."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from journeyflow.api.bodies import StrictRoute
from journeyflow.api.context import ADMIN, Context, Here
from journeyflow.api.errors import problems
from journeyflow.api.shapes import Body, ContactKey
from journeyflow.channels.base import Email, Outgoing
from journeyflow.core.values import JSON
from journeyflow.db.store import read
from journeyflow.services.contacts import Shape
from journeyflow.services.preview import Previews, Sample

router = APIRouter(tags=["templates"], route_class=StrictRoute)

Id = Annotated[str, Path(max_length=64, description="the template's id")]
Values = Annotated[
    dict[str, JSON],
    Field(
        default_factory=dict,
        description="values by name, such as `trigger` or `vars`; those of `contact` go before the contact's own",
    ),
]


class TemplatePreview(BaseModel):
    """A template filled in."""

    subject: str
    preheader: str
    html: str
    text: str
    reads: list[str] = Field(description="the paths of the values that the template reads, such as `trigger.total`")


class SampleValues(Body):
    """What a template is to be filled in with."""

    contact: ContactKey | None = None
    values: Values
    document: dict[str, JSON] | None = Field(
        default=None, description="the text of a template to fill in instead of the published one"
    )


class TestMessage(Body):
    """To whom a template is to be sent, and what it is to be filled in with."""

    to: str = Field(max_length=4_096, description="an address of the template's channel")
    contact: ContactKey | None = None
    values: Values


class SentTest(BaseModel):
    """A message that was sent to look at."""

    template: str
    to: str
    subject: str = Field(description="of an SMS or a push message its text")
    channel: str = Field(description="through what: `smtp`, ...; `mailbox` sends nothing")
    provider_id: str | None = Field(description="what the provider calls it, where it says so")


def _previews(here: Context) -> Previews:
    return Previews(here.installation.letters, here.installation.renderer)


@router.get("/v1/templates/{id}/preview", response_model=TemplatePreview, responses=problems(404), dependencies=[ADMIN])
def preview_template(here: Here, id: Id, contact: Annotated[str | None, Query(max_length=255)] = None) -> Shape:
    """A template as a contact would see it, or nobody in particular; nothing is used up."""
    return _preview(here, id, Sample(contact))


@router.post(
    "/v1/templates/{id}/preview", response_model=TemplatePreview, responses=problems(404), dependencies=[ADMIN]
)
def preview_template_with(here: Here, id: Id, sample: SampleValues) -> Shape:
    """The same with sample values, or with a text that is not published."""
    return _preview(here, id, Sample(sample.contact, sample.values, sample.document))


def _preview(here: Context, id_: str, sample: Sample) -> Shape:
    with read(here.installation.engine) as connection:
        flows = here.flows.at(connection)
        mail, reads = _previews(here).show(connection, flows, id_, sample, here.installation.clock())
    return {
        "subject": mail.subject,
        "preheader": mail.preheader,
        "html": mail.html,
        "text": mail.text,
        "reads": [*reads],
    }


@router.post(
    "/v1/templates/{id}/send-test", response_model=SentTest, responses=problems(404, 502), dependencies=[ADMIN]
)
async def send_test(here: Here, id: Id, wanted: TestMessage) -> Shape:
    """Send a template as it would go out, at once and through the channel that is set; nothing is used up."""
    message = await run_in_threadpool(_test, here, id, wanted)
    settings = here.installation.settings
    outlet = here.installation.outlet()
    try:
        provider_id = await outlet.deliver(message)
    finally:
        await outlet.close()
    channel, shown = ("email", message.subject) if isinstance(message, Email) else (message.channel, message.text)
    url = {"email": settings.email_url, "sms": settings.sms_url, "push": settings.push_url}[channel]
    return {
        "template": id,
        "to": message.to,
        "subject": shown,
        "channel": url.get_secret_value().partition("://")[0].lower(),
        "provider_id": provider_id,
    }


def _test(here: Context, id_: str, wanted: TestMessage) -> Outgoing:
    with read(here.installation.engine) as connection:
        flows = here.flows.at(connection)
        sample = Sample(wanted.contact, wanted.values)
        return _previews(here).outgoing(connection, flows, id_, sample, wanted.to.strip(), here.installation.clock())
