"""Channels by URL, and what is said of URLs that mean none."""

from __future__ import annotations

import pytest

from journeyflow.channels.factory import open_channel, smtp_settings
from journeyflow.channels.mailbox import MailboxChannel
from journeyflow.channels.smtp import SmtpChannel, SmtpSettings
from journeyflow.core.errors import InvalidValue


def test_schemes_name_channels() -> None:
    assert isinstance(open_channel("mailbox://"), MailboxChannel)
    assert isinstance(open_channel("SMTP://mail.example"), SmtpChannel)
    assert isinstance(open_channel("smtps://mail.example"), SmtpChannel)


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtp://mail.example", 25, "if_offered"),
        ("smtp://mail.example:587", 587, "if_offered"),
        ("smtp://ann:pw@mail.example", 587, "starttls"),
        ("smtp://ann:pw@mail.example:2525", 2525, "starttls"),
        ("smtp://ann:pw@mail.example:465", 465, "tls"),
        ("smtp://ann:pw@localhost:1025", 1025, "none"),
        ("smtp://[::1]:1025", 1025, "none"),
        ("smtp://localhost?tls=starttls", 587, "starttls"),
        ("smtp://mail.example?tls=none", 25, "none"),
        ("smtp://mail.example?tls=tls", 465, "tls"),
        ("smtps://mail.example", 465, "tls"),
        ("smtps://mail.example:4465?tls=tls", 4465, "tls"),
    ],
)
def test_encryption_is_decided_by_where_it_goes_and_what_is_said(url: str, port: int, tls: str) -> None:
    settings = smtp_settings(url)

    assert (settings.port, settings.tls) == (port, tls)


def test_all_parts_of_a_url_are_read() -> None:
    url = "smtp://ann%40shop:p%40ss%2Fw%3Ard@mail.example:587?tls=starttls&timeout=2.5&connections=3&ca=/ca.pem&hostname=me.example"

    assert smtp_settings(url) == SmtpSettings(
        host="mail.example",
        port=587,
        username="ann@shop",
        password="p@ss/w:rd",
        tls="starttls",
        timeout_seconds=2.5,
        connections_max=3,
        ca_file="/ca.pem",
        hostname="me.example",
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "expected mailbox://, smtp://... or smtps://..."),
        ("ftp://ann:s3cret@mail.example", "found ftp://"),
        ("ann:s3cret@mail.example", "expected mailbox://"),
        ("s3cret@mail://x", "expected mailbox://"),
        ("smtp://", "expected smtp://user:password@host:port"),
        ("smtp://:587", "expected smtp://user:password@host:port"),
        ("smtp://mail.example:mail", "expected smtp://user:password@host:port"),
        ("smtp://mail.example:99999", "expected smtp://user:password@host:port"),
        ("smtp://mail.example:0", "expected smtp://user:password@host:port"),
        ("smtp://mail.example/path", "expected smtp://user:password@host:port"),
        ("smtp://ann:s3cret/1@mail.example", "percent-encoded"),
        ("smtp://ann:s3cret?1@mail.example", "percent-encoded"),
        ("smtp://ann:12?s3cret@mail.example", "percent-encoded"),
        ("smtp://ann:s3cret#1@mail.example", "percent-encoded"),
        ("smtp://ann:s3cret[@mail.example", "percent-encoded"),
        ("smtp://mail.example?tls=ssl", "tls: expected starttls, tls, none or if_offered, found 'ssl'"),
        ("smtps://mail.example?tls=starttls", "tls: smtps:// means tls=tls"),
        ("smtp://mail.example?timeout=soon", "timeout: expected a number from 0.1 to 600, found 'soon'"),
        ("smtp://mail.example?timeout=0", "timeout: expected a number from 0.1 to 600"),
        ("smtp://mail.example?connections=1000", "connections: expected a number from 1 to 100"),
        ("smtp://mail.example?retries=3", "there is no option 'retries'"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_password(url: str, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        open_channel(url)

    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
