"""What every channel keeps to, whatever is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.channels.mail_server import MailServer

from journeyflow.channels.base import Channel, Email
from journeyflow.channels.factory import open_channel
from journeyflow.core.errors import Refused

MAIL = Email(
    id="6f1e6a3e-7f1c-5d4c-9a35-0d3e0a3d4b11",
    to="ann@example.com",
    sender_name="The Shop",
    sender_email="hello@shop.example",
    subject="Your basket",
    html="<p>It is still here.</p>",
    text="It is still here.\n",
    sent_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
)
# Any: what a test's coroutine gives back is nobody's business
Work = Callable[[Channel[Email]], Coroutine[Any, Any, None]]


@pytest.fixture(params=["mailbox", "smtp"])
def url(request: pytest.FixtureRequest, mail_server: MailServer) -> str:
    return "mailbox://" if request.param == "mailbox" else f"smtp://127.0.0.1:{mail_server.port}?timeout=5"


def with_channel(url: str, work: Work) -> None:
    async def run() -> None:
        channel = open_channel(url)
        try:
            await work(channel)
        finally:
            await channel.close()

    asyncio.run(run())


def changed(**fields: object) -> Email:
    values = {name: getattr(MAIL, name) for name in Email.__dataclass_fields__} | fields
    return Email(**values)


def test_it_takes_a_mail(url: str) -> None:
    async def work(channel: Channel[Email]) -> None:
        given = await channel.deliver(MAIL)
        assert given is None or isinstance(given, str)

    with_channel(url, work)


def test_it_takes_the_same_mail_again(url: str) -> None:
    async def work(channel: Channel[Email]) -> None:
        await channel.deliver(MAIL)
        await channel.deliver(MAIL)

    with_channel(url, work)


def test_it_takes_many_mails_at_once(url: str) -> None:
    async def work(channel: Channel[Email]) -> None:
        await asyncio.gather(*(channel.deliver(changed(id=f"id-{n}")) for n in range(30)))

    with_channel(url, work)


def test_it_takes_all_the_letters_there_are(url: str) -> None:
    async def work(channel: Channel[Email]) -> None:
        await channel.deliver(
            changed(
                to="gęś@zażółć.example",
                sender_name='Sklep „Żółw", s.r.o. <x>',
                subject="Zażółć gęślą jaźń 🦆 " * 20,
                html="<p>🦆</p>" + "x" * 5_000,
                text="\n.\n..\nFrom 🦆",
            )
        )

    with_channel(url, work)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"to": "ann@example.com\r\nBcc: victim@example.com"}, "to: a line break is not allowed"),
        ({"sender_name": "Shop\nBcc: victim@example.com"}, "sender_name: a line break is not allowed"),
        ({"subject": "Hi\r\nBcc: victim@example.com"}, "subject: a line break is not allowed"),
        ({"subject": "Hi\u2028there"}, "subject: the control character U+2028 is not allowed"),
        ({"reply_to": "a@shop.example\n"}, "reply_to: a line break is not allowed"),
        ({"sender_email": "a@shop.example\r\nX: y"}, "from: a line break is not allowed"),
        ({"headers": {"X-Campaign": "a\r\nBcc: victim@example.com"}}, "headers.X-Campaign: a line break"),
        ({"headers": {"X-Campaign\r\nBcc": "a"}}, "is not a header that can be added"),
        ({"headers": {"Bcc": "victim@example.com"}}, "'Bcc' is not a header that can be added"),
        ({"headers": {"content-type": "text/x"}}, "'content-type' is not a header that can be added"),
        ({"headers": {"X-Long": "x" * 1_000}}, "headers.X-Long: expected at most 998 ASCII characters"),
        ({"id": "a>\r\nBcc: victim@example.com"}, "id: a line break is not allowed"),
        ({"to": "nobody"}, "to: 'nobody' is no e-mail address"),
        ({"to": "ann@example.com, bob@example.com"}, "is no e-mail address"),
        ({"to": "Ann <ann@example.com>"}, "is no e-mail address"),
        ({"to": "ann@exa mple.com"}, "is no e-mail address"),
        ({"to": "ann@-example.com"}, "is no e-mail address"),
        ({"to": "ann@ex\u00a0ample.com"}, "no domain that exists"),
        ({"to": ""}, "is no e-mail address"),
        ({"sender_email": "shop"}, "from: 'shop' is no e-mail address"),
    ],
)
def test_it_refuses_for_good_what_nobody_could_deliver(url: str, fields: dict[str, object], said: str) -> None:
    async def work(channel: Channel[Email]) -> None:
        with pytest.raises(Refused) as caught:
            await channel.deliver(changed(**fields))
        assert said in str(caught.value)
        await channel.deliver(MAIL)

    with_channel(url, work)


def test_it_can_be_checked(url: str) -> None:
    async def work(channel: Channel[Email]) -> None:
        assert "\n" not in await channel.check()

    with_channel(url, work)


def test_it_can_be_closed_twice_and_used_again(url: str) -> None:
    async def work(channel: Channel[Email]) -> None:
        await channel.deliver(MAIL)
        await channel.close()
        await channel.close()
        await channel.deliver(MAIL)

    with_channel(url, work)
