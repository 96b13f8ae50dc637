"""Each event is judged on its own: which input it is, or which of its fields is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journeyflow.api.segment_events import Arrival, Sending, judge, skew_of
from journeyflow.core.errors import InvalidEvent
from journeyflow.core.inputs import Event, Identify, Merge

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
JSONObject = dict[str, Any]  # Any: JSON


def sending(skew: timedelta = timedelta(), *, browser: bool = False) -> Sending:
    return Sending(NOW, skew, browser, careful=False, weigh=False)


def track(**given: Any) -> JSONObject:  # Any: JSON
    return {"userId": "ann", "event": "Order Completed", **given}


def taken(data: JSONObject, type_: str = "track", skew: timedelta = timedelta()) -> Event:
    item = judge(data, type_, "", sending(skew)).input
    assert isinstance(item, Event)
    return item


def wrong_field(data: JSONObject, type_: str | None = "track", *, browser: bool = False) -> str:
    with pytest.raises(InvalidEvent) as caught:
        judge(data, type_, "", sending(browser=browser))
    return caught.value.field


# --- whose it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "contact"),
    [
        ({"userId": "ann"}, "ann"),
        ({"userId": "ann", "anonymousId": "a-1"}, "ann"),
        ({"userId": None, "anonymousId": "a-1"}, "a-1"),
        ({"userId": "", "anonymousId": "a-1"}, "a-1"),
        ({"userId": 42}, "42"),
        ({"userId": "Zoë ☕"}, "Zoë ☕"),
        ({"userId": "x" * 255}, "x" * 255),
    ],
)
def test_the_known_id_goes_before_the_anonymous_one_and_numbers_are_text(ids: JSONObject, contact: str) -> None:
    assert judge({"event": "x", **ids}, "track", "", sending()).contact == contact


@pytest.mark.parametrize("bad", [None, "", "x" * 256, "a\nb", "a\x00b", "   ", 1.5, True, [], {}])
def test_an_id_that_is_none_is_told(bad: object) -> None:
    assert wrong_field({"event": "x", "userId": bad}) == "userId"


def test_an_anonymous_id_that_is_none_is_told() -> None:
    assert wrong_field({"event": "x", "anonymousId": []}) == "anonymousId"


def test_what_names_a_contact_by_its_user_id_makes_it_known() -> None:
    for ids, known in (({"userId": "ann"}, True), ({"anonymousId": "a-1"}, False)):
        assert taken({**ids, "event": "Seen"}).known == known
        traits = judge({**ids}, "identify", "", sending()).input
        assert isinstance(traits, Identify)
        assert traits.known == known


def test_an_alias_needs_the_id_before_and_the_id_from_now_on() -> None:
    assert judge({"userId": "ann", "previousId": "a-1"}, "alias", "", sending()) == Arrival("a-1", Merge(NOW, "ann"))
    assert wrong_field({"userId": "ann"}, "alias") == "previousId"
    assert wrong_field({"anonymousId": "a-1", "previousId": "a-2"}, "alias") == "userId"


# --- when it was -----------------------------------------------------------------------------------------------------


def test_without_a_timestamp_it_happened_when_it_arrived() -> None:
    assert taken(track()).occurred_at == NOW


@pytest.mark.parametrize(
    "timestamp",
    ["2026-03-02T09:00:00.000Z", "2026-03-02T09:00:00+00:00", "2026-03-02T10:00:00.000+01:00", "2026-03-02T09:00:00"],
)
def test_a_timestamp_is_read_with_its_offset_and_without_one_as_utc(timestamp: str) -> None:
    assert taken(track(timestamp=timestamp)).occurred_at == NOW - timedelta(hours=1)


def test_the_clock_of_the_sender_is_corrected_by_when_it_says_it_sent() -> None:
    late_by_a_day = {"timestamp": "2026-03-01T08:00:00Z", "sentAt": "2026-03-01T10:00:00Z"}

    assert taken(track(**late_by_a_day)).occurred_at == NOW - timedelta(hours=2)


def test_the_clock_of_a_batch_corrects_its_events() -> None:
    skew = skew_of({"sentAt": "2026-03-02T11:00:00Z"}, NOW)

    assert taken(track(timestamp="2026-03-02T10:30:00Z"), skew=skew).occurred_at == NOW - timedelta(minutes=30)


def test_what_somebody_corrected_before_is_not_corrected_again() -> None:
    given = {
        "timestamp": "2026-03-02T09:00:00Z",
        "originalTimestamp": "2026-03-01T08:00:00Z",
        "sentAt": "2026-03-01T10:00:00Z",
    }

    assert taken(track(**given)).occurred_at == NOW - timedelta(hours=1)


@pytest.mark.parametrize("sent_at", [None, "soon", 17, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_of_sending_that_makes_no_sense_corrects_nothing(sent_at: object) -> None:
    given = track(timestamp="2026-03-02T09:00:00Z", sentAt=sent_at)

    assert taken(given).occurred_at == NOW - timedelta(hours=1)


def test_a_clock_in_the_future_is_left_to_the_core() -> None:
    """Rule 1.10 takes its time of arrival, and keeps what it claimed."""
    assert taken(track(timestamp="2031-01-01T00:00:00Z")).occurred_at == datetime(2031, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "bad",
    ["yesterday", "", 1772445600, "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z", [], True],
)
@pytest.mark.parametrize("type_", ["track", "identify", "group", "page"])
def test_a_timestamp_that_can_not_be_is_told(type_: str, bad: object) -> None:
    assert wrong_field(track(timestamp=bad), type_) == "timestamp"


# --- what it was -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [None, "", "  ", "x" * 201, 7, [], "a\tb"])
def test_an_event_needs_a_name(bad: object) -> None:
    assert wrong_field(track(event=bad)) == "event"


@pytest.mark.parametrize("name", ["Tag Added", "Contact Created", "Contact Updated", "Stage Changed", "Segment Left"])
def test_nobody_can_pretend_to_be_the_engine(name: str) -> None:
    assert wrong_field(track(event=name)) == "event"


@pytest.mark.parametrize("bad", ["x", [], 7, True])
def test_properties_and_traits_are_objects(bad: object) -> None:
    assert wrong_field(track(properties=bad)) == "properties"
    assert wrong_field(track(traits=bad), "identify") == "traits"
    assert wrong_field(track(traits=bad), "group") == "traits"


def test_what_is_missing_is_empty() -> None:
    assert taken(track(properties=None)).properties == {}
    item = judge({"userId": "ann"}, "identify", "", sending()).input
    assert item == Identify(NOW, {}, known=True)


def test_a_message_id_is_text_or_a_number() -> None:
    assert taken(track(messageId="m-1")).message_id == "m-1"
    assert taken(track(messageId=17)).message_id == "17"
    assert taken(track(messageId="")).message_id is None
    assert wrong_field(track(messageId="x" * 256)) == "messageId"


def test_a_page_whose_name_is_no_text_is_told() -> None:
    assert wrong_field({"userId": "ann", "name": 7}, "page") == "name"


@pytest.mark.parametrize("bad", [None, "delete", 7, "Track"])
def test_in_a_batch_each_event_says_what_it_is(bad: object) -> None:
    assert wrong_field(track(type=bad), None) == "type"


@pytest.mark.parametrize("topic", [7, "", [], {"id": "offers"}])
def test_a_topic_that_can_not_be_read_does_not_become_everything(topic: object) -> None:
    assert wrong_field(track(event="Unsubscribed", properties={"topic": topic})) == "properties.topic"


def test_a_server_may_tell_of_consent() -> None:
    assert taken(track(event="Unsubscribed", properties={"topic": "offers"})).name == "Unsubscribed"
    assert taken(track(event="Subscribed", properties={})).name == "Subscribed"


def test_a_browser_may_not() -> None:
    assert wrong_field(track(event="Subscribed"), browser=True) == "event"
