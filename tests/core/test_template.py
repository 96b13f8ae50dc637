"""Templates of each channel."""

from __future__ import annotations

import pytest

from journeyflow.core.documents import KINDS
from journeyflow.core.template import Template
from journeyflow.core.values import JSON
from journeyflow.services.validate import validate_document

BODY: dict[str, JSON] = {"template": "hello", "body": "Hello"}


def problems(**more: JSON) -> list[tuple[str, str]]:
    return [(one.code, one.path) for one in validate_document({**BODY, **more}, KINDS).problems]


def test_an_email_needs_a_subject() -> None:
    assert problems() == [("JF005", "subject")]
    assert problems(channel="email") == [("JF005", "subject")]
    assert problems(subject="Hi") == []


@pytest.mark.parametrize("channel", ["sms", "push"])
def test_a_short_message_is_its_body(channel: str) -> None:
    assert problems(channel=channel) == []


@pytest.mark.parametrize(
    ("key", "value"), [("subject", "Hi"), ("preheader", "Hi"), ("format", "markdown"), ("text", "Hi")]
)
def test_what_only_an_email_has_is_refused_on_a_short_message(key: str, value: str) -> None:
    assert problems(channel="sms", **{key: value}) == [("JF006", key)]


def test_an_unknown_channel_is_one_problem() -> None:
    assert problems(channel="fax") == [("JF006", "channel")]


def test_tracking_is_on_or_off_for_opens_and_clicks() -> None:
    made = Template.model_validate({**BODY, "subject": "Hi", "tracking": {"opens": False}})

    assert made.tracking is not None
    assert (made.tracking.opens, made.tracking.clicks) == (False, True)


def test_the_schema_for_editors_knows_what_belongs_to_which_channel() -> None:
    schema = Template.model_json_schema()

    assert schema["else"] == {"required": ["subject"]}
    assert schema["then"] == {"properties": dict.fromkeys(["subject", "preheader", "layout", "format", "text"], False)}
    assert schema["additionalProperties"] is False
