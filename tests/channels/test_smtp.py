"""SMTP against a real server, and against ones that misbehave."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from tests.channels.mail_server import MailServer

from journeyflow.channels.base import Email
from journeyflow.channels.factory import open_channel
from journeyflow.channels.smtp import SmtpChannel, SmtpSettings
from journeyflow.core.errors import Refused, Unavailable

MAIL = Email(
    id="6f1e6a3e-7f1c-5d4c-9a35-0d3e0a3d4b11",
    to="ann@example.com",
    sender_name="The Shop",
    sender_email="hello@shop.example",
    reply_to="care@shop.example",
    subject="Your basket",
    html="<p>It is still here.</p>",
    text="It is still here.\n",
    sent_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
    headers={
        "List-Unsubscribe": f"<https://j.example/u/{'t' * 300}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
)
Found = TypeVar("Found")

# What aiosmtpd thinks of the server that the tests of passwords want.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


def with_channel(url: str, work: Callable[[SmtpChannel], Awaitable[Found]]) -> Found:
    async def run() -> Found:
        channel = open_channel(url)
        assert isinstance(channel, SmtpChannel)
        try:
            return await work(channel)
        finally:
            await channel.close()

    return asyncio.run(run())


def deliver(url: str, *mails: Email) -> list[str | None]:
    async def work(channel: SmtpChannel) -> list[str | None]:
        return [await channel.deliver(mail) for mail in mails]

    return with_channel(url, work)


def url_of(server: MailServer, options: str = "") -> str:
    return f"smtp://127.0.0.1:{server.port}?timeout=5{options}"


def test_a_mail_arrives_as_it_was_given(mail_server: MailServer) -> None:
    assert deliver(url_of(mail_server), MAIL) == ["OK: queued as 1"]

    (envelope,), (got,) = mail_server.envelopes, mail_server.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hello@shop.example", ["ann@example.com"])
    assert got["From"] == "The Shop <hello@shop.example>"
    assert got["To"] == "ann@example.com"
    assert got["Reply-To"] == "care@shop.example"
    assert got["Subject"] == "Your basket"
    assert got["Date"] == "Sun, 22 Nov 2026 10:00:00 +0000"
    assert got["Message-ID"] == "<6f1e6a3e-7f1c-5d4c-9a35-0d3e0a3d4b11@shop.example>"
    assert got["List-Unsubscribe"] == MAIL.headers["List-Unsubscribe"]
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert got.get_content_type() == "multipart/alternative"
    plain, html = (part.get_content() for part in got.iter_parts())
    assert (plain, html) == ("It is still here.\r\n", "<p>It is still here.</p>\r\n")


def test_the_same_mail_gives_the_same_bytes(mail_server: MailServer) -> None:
    deliver(url_of(mail_server), MAIL, MAIL)

    first, second = mail_server.envelopes
    assert first.content == second.content


def test_letters_beyond_ascii_arrive(mail_server: MailServer) -> None:
    mail = replace(
        MAIL,
        to="gęś@zażółć.example",
        sender_name='Sklep „Żółw", s.r.o. <x>',
        subject="Zażółć gęślą jaźń 🦆 " * 10 + "end",
        html="<p>" + "ż" * 3_000 + "</p>",
        text=".\n..\nFrom 🦆\n",
    )
    deliver(url_of(mail_server), mail)

    (envelope,), (got,) = mail_server.envelopes, mail_server.messages
    assert envelope.rcpt_tos == ["gęś@xn--za-6ja4f8n1l.example"]
    assert got["From"].addresses[0].display_name == mail.sender_name
    assert got["Subject"] == mail.subject
    plain, html = (part.get_content() for part in got.iter_parts())
    assert plain == ".\r\n..\r\nFrom 🦆\r\n"
    assert html.strip() == mail.html


@pytest.mark.parametrize("trick", ["=?utf-8?q?a=0ABcc:_victim?=", "=?utf-8?b?CkJjYzogeA==?=", 'a" <x@y>, "b', "a\\"])
def test_what_looks_encoded_is_shown_and_not_read(mail_server: MailServer, trick: str) -> None:
    deliver(url_of(mail_server), replace(MAIL, subject=trick, sender_name=trick))

    (got,) = mail_server.messages
    assert got["Subject"] == trick
    assert [(found.display_name, found.addr_spec) for found in got["From"].addresses] == [(trick, "hello@shop.example")]
    assert "Bcc" not in got


def test_an_address_that_needs_smtputf8_is_refused_where_there_is_none() -> None:
    server = MailServer(utf8=False)
    server.start()
    try:
        with pytest.raises(Refused, match="SMTPUTF8"):
            deliver(url_of(server), replace(MAIL, to="gęś@example.com"))
    finally:
        server.stop()


@pytest.mark.parametrize("address", ["refuse-550@example.com", "late-554@example.com", "refuse-552@example.com"])
def test_a_5xx_reply_is_for_good_and_the_next_mail_goes_out(mail_server: MailServer, address: str) -> None:
    async def work(channel: SmtpChannel) -> None:
        with pytest.raises(Refused, match=f"127.0.0.1:{mail_server.port}: {address[-15:-12]} not"):
            await channel.deliver(replace(MAIL, to=address))
        await channel.deliver(MAIL)

    with_channel(url_of(mail_server), work)
    assert len(mail_server.envelopes) == mail_server.sessions == 1


@pytest.mark.parametrize("address", ["refuse-451@example.com", "late-452@example.com", "refuse-530@example.com"])
def test_a_4xx_reply_is_for_later_and_the_next_mail_goes_out(mail_server: MailServer, address: str) -> None:
    async def work(channel: SmtpChannel) -> None:
        with pytest.raises(Unavailable, match=f"{address[-15:-12]} not"):
            await channel.deliver(replace(MAIL, to=address))
        await channel.deliver(MAIL)

    with_channel(url_of(mail_server), work)
    assert len(mail_server.envelopes) == mail_server.sessions == 1


def test_a_server_that_is_down_is_for_later_and_used_when_it_is_back(mail_server: MailServer) -> None:
    async def work(channel: SmtpChannel) -> None:
        with pytest.raises(Unavailable, match=f"127.0.0.1:{mail_server.port}"):
            await channel.deliver(MAIL)
        with pytest.raises(Unavailable):
            await channel.check()
        await asyncio.to_thread(mail_server.start)
        await channel.deliver(MAIL)

    mail_server.stop()
    with_channel(url_of(mail_server), work)
    assert len(mail_server.envelopes) == 1


def test_a_connection_is_used_again(mail_server: MailServer) -> None:
    deliver(url_of(mail_server), *[MAIL] * 5)

    assert (len(mail_server.envelopes), mail_server.sessions) == (5, 1)


def test_a_connection_that_was_dropped_between_mails_is_opened_anew(mail_server: MailServer) -> None:
    async def work(channel: SmtpChannel) -> None:
        await asyncio.gather(*(channel.deliver(MAIL) for _ in range(3)))
        mail_server.drop_connections()
        await channel.deliver(MAIL)

    with_channel(url_of(mail_server), work)
    assert len(mail_server.envelopes) == 4


def test_there_are_never_more_connections_than_said(mail_server: MailServer) -> None:
    async def work(channel: SmtpChannel) -> None:
        await asyncio.gather(*(channel.deliver(MAIL) for _ in range(20)))

    with_channel(url_of(mail_server, "&connections=2"), work)
    assert len(mail_server.envelopes) == 20
    assert mail_server.sessions <= 2


def test_a_delivery_that_is_cancelled_leaves_the_channel_usable(mail_server: MailServer) -> None:
    """Wherever it is then: looking up the name, greeting the server, handing the mail over."""

    async def work(channel: SmtpChannel) -> None:
        gc.freeze()  # what is there already need not be looked through each time
        for steps in range(40):
            begun = asyncio.create_task(channel.deliver(MAIL))
            await asyncio.wait([begun], timeout=steps * 0.0002)
            begun.cancel()
            await asyncio.wait([begun])
            gc.collect()  # tells of a connection that nobody closed
            await channel.close()
        gc.unfreeze()
        await channel.deliver(replace(MAIL, subject="second"))

    with_channel(url_of(mail_server, "&connections=1"), work)
    assert mail_server.messages[-1]["Subject"] == "second"


def locked_url(server: MailServer, password: str) -> str:
    return f"smtp://ann%40shop:{password}@127.0.0.1:{server.port}?timeout=5"


def test_user_and_password_are_given(locked_server: MailServer) -> None:
    deliver(locked_url(locked_server, "p%40ss%2Fw%3Ard"), MAIL)

    assert len(locked_server.envelopes) == 1


def test_a_wrong_password_loses_no_mail_and_is_not_shown(locked_server: MailServer) -> None:
    with pytest.raises(Unavailable, match="535") as caught:
        deliver(locked_url(locked_server, "s3cret"), MAIL)

    assert "s3cret" not in str(caught.value)


def test_a_server_that_wants_a_password_is_for_later(locked_server: MailServer) -> None:
    with pytest.raises(Unavailable, match="530"):
        deliver(url_of(locked_server), MAIL)


def test_the_check_signs_in_and_sends_nothing(locked_server: MailServer) -> None:
    said = with_channel(locked_url(locked_server, "p%40ss%2Fw%3Ard"), lambda channel: channel.check())

    assert said == f"smtp: 127.0.0.1:{locked_server.port}, not encrypted, signed in as ann@shop"
    assert locked_server.envelopes == []


def test_the_password_is_in_no_representation() -> None:
    settings = SmtpSettings("mail.example", 587, "ann", "s3cret")

    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(SmtpChannel(settings))


# --- servers that misbehave ------------------------------------------------------------------------------------------

POLITE = {
    "EHLO": "250 hi",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    ".": "250 taken",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}
SILENCE = ""
HANG_UP = "hang up"


class Script:
    """A server that answers by the book, but for what is said otherwise for each of its connections in turn.

    ``MAIL`` is the answer to each MAIL of a connection, ``MAIL1`` to that after its first mail.
    """

    def __init__(self, *otherwise: dict[str, str]) -> None:
        self._otherwise = list(otherwise)
        self._talks: set[asyncio.Task[object]] = set()
        self.taken: list[int] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._talks.add(task)
        try:
            await self._answer(reader, writer)
        except ConnectionError:
            self.taken.append(-1)
        finally:
            writer.close()

    async def over(self) -> None:
        """Wait until everybody has gone."""
        await asyncio.gather(*self._talks)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replies = POLITE | (self._otherwise.pop(0) if self._otherwise else {})
        mails, in_text = 0, False
        _say(writer, replies.get("greeting", "220 hello"))
        while line := await reader.readline():
            if in_text and line != b".\r\n":
                continue
            word = "." if in_text else line[:4].decode().strip().upper()
            reply = replies.get(f"{word}{mails}", replies[word])
            if reply == HANG_UP:
                return
            in_text = word == "DATA" and reply.startswith("354")
            if word == "." and reply.startswith("250"):
                mails += 1
                self.taken.append(mails)
            _say(writer, reply)
            if reply.startswith("421"):
                return


def _say(writer: asyncio.StreamWriter, reply: str) -> None:
    if reply != SILENCE:
        writer.write(reply.encode("latin-1") + b"\r\n")


def deliver_to_script(script: Script, mails: int = 1, options: str = "timeout=0.2") -> list[str]:
    """What became of each mail."""

    async def run() -> list[str]:
        server = await asyncio.start_server(script.talk, "127.0.0.1", 0)
        channel = open_channel(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}?{options}")
        outcomes = []
        for _ in range(mails):
            try:
                await channel.deliver(MAIL)
                outcomes.append("sent")
            except (Refused, Unavailable) as error:
                outcomes.append(f"{type(error).__name__}: {error}")
        await channel.close()
        server.close()
        await script.over()
        return outcomes

    return asyncio.run(run())


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_falls_silent_is_for_later(step: str) -> None:
    (outcome,) = deliver_to_script(Script({step: SILENCE}))

    assert outcome.startswith("Unavailable: smtp: 127.0.0.1:")
    assert "Timed out" in outcome


@pytest.mark.parametrize("step", ["EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_hangs_up_is_for_later(step: str) -> None:
    (outcome,) = deliver_to_script(Script({step: HANG_UP}))

    assert outcome.startswith("Unavailable: smtp: 127.0.0.1:")


@pytest.mark.parametrize("greeting", ["554 no service", "421 too busy", "nonsense"])
def test_a_server_that_greets_with_a_no_is_for_later(greeting: str) -> None:
    (outcome,) = deliver_to_script(Script({"greeting": greeting}))

    assert outcome.startswith("Unavailable: ")


@pytest.mark.parametrize("goodbye", ["421 too many mails", HANG_UP])
def test_a_server_that_ends_a_connection_after_a_mail_gets_the_next_on_a_new_one(goodbye: str) -> None:
    script = Script({"MAIL1": goodbye})

    assert deliver_to_script(script, mails=3) == ["sent", "sent", "sent"]
    assert script.taken == [1, 1, 2]


def test_a_mail_that_may_have_been_taken_is_not_sent_again_by_the_channel() -> None:
    script = Script({".1": HANG_UP})
    outcomes = deliver_to_script(script, mails=3)

    assert [outcome.partition(":")[0] for outcome in outcomes] == ["sent", "Unavailable", "sent"]
    assert script.taken == [1, 1]


def test_a_reply_that_is_no_text_is_told_as_text() -> None:
    (outcome,) = deliver_to_script(Script({"RCPT": "550 \xff\xfe no \x07 such \x1b[31m user " + "x" * 5_000}))

    assert outcome.startswith("Refused: ")
    assert outcome.isprintable()
    outcome.encode()
    assert len(outcome) < 400


@pytest.mark.parametrize(
    ("command", "reply", "outcome"),
    [
        ("RCPT", "550 5.1.1 no such user", "Undeliverable"),
        ("RCPT", "553 5.1.3 no address", "Undeliverable"),
        ("RCPT", "556 5.1.10 this domain takes no mail", "Undeliverable"),
        ("RCPT", "550 5.2.1 mailbox disabled", "Undeliverable"),
        ("RCPT", "550 no such user, or we do not like you", "Refused"),
        ("RCPT", "550 5.7.1 we do not like you", "Refused"),
        ("RCPT", "550 5.1.8 your own address does not exist", "Refused"),
        ("RCPT", "552 5.2.2 mailbox full", "Refused"),
        ("RCPT", "450 4.1.1 no such user yet", "Unavailable"),
        ("MAIL", "550 5.1.1 no such sender", "Refused"),
    ],
)
def test_only_a_server_that_says_so_knows_that_there_is_no_such_address(command: str, reply: str, outcome: str) -> None:
    (told,) = deliver_to_script(Script({command: reply}))

    assert told.partition(":")[0] == outcome


def test_a_server_that_offers_no_starttls_gets_no_mail_where_it_is_asked_for() -> None:
    (outcome,) = deliver_to_script(Script(), options="tls=starttls&timeout=1")

    assert outcome.startswith("Unavailable: ")
    assert "STARTTLS" in outcome
