"""The page behind the links of a survey: it says thanks, and lets the contact change the answer."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Annotated, NamedTuple
from urllib.parse import parse_qs

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse

from journeyflow.api.bodies import read_body
from journeyflow.api.context import Context, Here
from journeyflow.api.errors import open_problems
from journeyflow.api.pages import page, test_page
from journeyflow.core.inputs import Event
from journeyflow.core.survey import Choice, Survey
from journeyflow.core.values import JSON
from journeyflow.db import outbox
from journeyflow.db.sqlite import read
from journeyflow.services import contacts
from journeyflow.services.machines import is_machine
from journeyflow.services.survey_answers import answered

router = APIRouter(tags=["pages for contacts"], default_response_class=HTMLResponse)

Token = Annotated[str, Path(description="from the link in a message, or from the page itself")]
FORM_BYTES_MAX = 65_536


class Asked(NamedTuple):
    """A contact and the survey that it is asked; ``survey`` is missing where it was taken away.

    ``chosen`` is the answer of the link, on the page's own address the one that the contact has given.
    ``answers`` tells that the link is one of a message, which answers by being followed.
    """

    contact: str
    message: str
    survey: Survey | None
    chosen: Choice | None
    answers: bool
    own_token: str


def _asked(here: Context, data: dict[str, JSON]) -> Asked:
    """Who is asked what.

    :raises NotFound: when the contact is not there any more.
    """
    id_ = str(data["s"])
    with read(here.installation.engine) as connection:
        message = outbox.by_id(connection, str(data["m"]))
        key = str(data["c"]) if message is None else message.contact
        contact = contacts.find(connection, key, here.installation.clock())
        survey = here.flows.at(connection).library.surveys.get(id_)
    answers = "a" in data
    wanted = data["a"] if answers else contact.answers.get(id_)
    token = here.installation.signer.sign("survey", {"c": key, "m": data["m"], "s": id_})
    return Asked(key, str(data["m"]), survey, None if survey is None else survey.choice(wanted), answers, token)


@router.get("/s/{token}", summary="Answers a survey", responses=open_problems(404, media_type="text/html"))
async def answer_survey(here: Here, token: Token, request: Request) -> HTMLResponse:
    """The link of an answer gives it, for a person; a mail scanner that follows it changes nothing."""
    data = here.installation.signer.read("survey", token)
    if data.get("test"):
        return test_page("answer the question")
    asked = await run_in_threadpool(_asked, here, data)
    if asked.answers and is_machine(request.headers):
        return _shown(asked._replace(chosen=None))
    if asked.answers and asked.chosen is not None:
        await _store(here, asked, asked.chosen)
    return _shown(asked)


@router.head("/s/{token}", include_in_schema=False)
async def look_at_survey(here: Here, token: Token) -> HTMLResponse:
    """That there is a page; nobody answered."""
    here.installation.signer.read("survey", token)
    return page("Survey", "")


@router.post("/s/{token}", summary="Changes the answer", responses=open_problems(404, 413, media_type="text/html"))
async def change_answer(here: Here, token: Token, request: Request) -> HTMLResponse:
    """The button that was pressed, as the event `Survey Answered`."""
    data = here.installation.signer.read("survey", token)
    if data.get("test"):
        return test_page("answer the question")
    asked = await run_in_threadpool(_asked, here, data)
    form = parse_qs((await read_body(request, FORM_BYTES_MAX)).decode(errors="replace"))
    chosen = None if asked.survey is None else asked.survey.choice(form.get("answer", [""])[0])
    if chosen is not None:
        await _store(here, asked, chosen)
        asked = asked._replace(chosen=chosen)
    return _shown(asked)


async def _store(here: Context, asked: Asked, choice: Choice) -> None:
    event = await run_in_threadpool(_event, here, asked, choice)
    await asyncio.wrap_future(here.ingest.submit([(asked.contact, event)]))


def _event(here: Context, asked: Asked, choice: Choice) -> Event:
    assert asked.survey is not None
    with read(here.installation.engine) as connection:
        return answered(
            connection, asked.contact, asked.message, asked.survey.survey, choice.id, here.installation.clock()
        )


def _shown(asked: Asked) -> HTMLResponse:
    survey, chosen = asked.survey, asked.chosen
    if survey is None:
        return page("This survey has ended", "<p>Thank you all the same.</p>")
    question = f"<p>{escape(survey.question)}</p>"
    if chosen is None:
        return page(survey.question, _form(asked, survey.choices, "Choose an answer"))
    status = f'<p role="status">Your answer: <strong>{escape(chosen.label)}</strong></p>'
    others = [choice for choice in survey.choices if choice.id != chosen.id]
    form = _form(asked, others, "Change it") if others else ""
    return page("Thank you", f"{question}\n{status}\n{form}")


def _form(asked: Asked, choices: tuple[Choice, ...] | list[Choice], legend: str) -> str:
    """To the page's own address, so that looking at the page again gives no answer again."""
    buttons = "\n".join(
        f'<button type="submit" name="answer" value="{escape(one.id)}" class="second">{escape(one.label)}</button>'
        for one in choices
    )
    return (
        f'<form method="post" action="{escape(asked.own_token)}">\n<fieldset>\n<legend>{legend}</legend>\n'
        f"{buttons}\n</fieldset>\n</form>"
    )
