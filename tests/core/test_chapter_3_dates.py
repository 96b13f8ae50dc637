"""Dates and schedules (rules 3.5, 3.8 and 4.4). 2 March 2026 is a Monday; Europe's clocks change on the 29th."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.core.world import World, flow, instant, short

from journeyflow.core.local_time import at_local
from journeyflow.core.timetable import Timetable
from journeyflow.core.triggers import ScheduleTrigger

NOTE = "note: {type: tag, add: [noted]}"
ALL = "segment: all\nwhen: {all: []}\n---\n"
ALWAYS = "reentry: {policy: always}"


def dated(more: str = "") -> str:
    return flow(NOTE, ALWAYS, trigger=f"{{type: date, attribute: renewal{more}}}")


def scheduled(when: str, segment: str = "all") -> str:
    return flow(NOTE, ALWAYS, trigger=f"{{type: schedule, {when}, segment: {segment}}}")


# --- dates -----------------------------------------------------------------------------------------------------------


def test_rule_3_5_a_date_lets_in_at_nine_where_the_contact_is() -> None:
    world = World(dated())
    world.appear("ann", renewal="2026-03-05").appear("bob", renewal="2026-03-05", timezone="America/New_York")
    world.after("10d")

    assert world.times("entered", "ann") == ["2026-03-05T09:00Z"]
    assert world.times("entered", "bob") == ["2026-03-05T14:00Z"]
    assert world.details("entered")[0] == {
        "trigger": 0,
        "properties": {"attribute": "renewal", "date": "2026-03-05"},
    }


def test_an_offset_counts_in_calendar_days_and_the_date_stays_the_date() -> None:
    world = World(dated(", offset: -3d, at: '18:30'"))
    world.appear("ann", renewal="2026-03-31T22:30:00Z", timezone="Europe/Warsaw").after("40d")

    assert world.times("entered") == ["2026-03-29T16:30Z"], "1 April in Warsaw; after the clock change"
    assert world.details("entered")[0]["properties"] == {"attribute": "renewal", "date": "2026-04-01"}


def test_rule_4_4_a_time_that_the_clock_change_skips_is_the_first_instant_after() -> None:
    world = World(dated(", at: '02:30'"))
    world.appear("ann", renewal="2026-03-29", timezone="Europe/Warsaw").after("40d")

    assert world.times("entered") == ["2026-03-29T01:00Z"]


def test_a_birthday_comes_every_year_and_on_the_28th_where_there_is_no_29th() -> None:
    world = World(dated(", yearly: true"), start="2026-01-10T12:00Z")
    world.appear("ann", renewal="1996-02-29").appear("bob", renewal="1980-01-05").after("800d")

    assert world.times("entered", "ann") == ["2026-02-28T09:00Z", "2027-02-28T09:00Z", "2028-02-29T09:00Z"]
    assert world.times("entered", "bob") == ["2027-01-05T09:00Z", "2028-01-05T09:00Z"]
    assert world.details("entered")[0]["properties"] == {"attribute": "renewal", "date": "2026-02-28"}


def test_a_date_follows_its_attribute() -> None:
    world = World(dated())
    world.appear("ann", renewal="2026-03-05").after("1d").identify("ann", renewal="2026-03-07").after("9d")
    world.identify("ann", renewal="2026-03-20").after("1d").identify("ann", renewal=None).after("20d")

    assert world.times("entered") == ["2026-03-07T09:00Z"]


@pytest.mark.parametrize(
    ("renewal", "entered"),
    [
        ("2026-03-02", ["2026-03-02T09:00Z"]),  # now is not past
        ("2026-03-01", []),
        ("soon", []),
        (7, []),
        ("9999-12-31", []),
        ("2026-03-02T23:00:00Z", ["2026-03-02T09:00Z"]),
    ],
)
def test_a_date_that_lies_before_or_that_is_none_lets_nobody_in(renewal: str | int, entered: list[str]) -> None:
    world = World(dated())
    world.appear("ann").settle()
    world.identify("ann", renewal=renewal).after("30d")

    assert world.times("entered") == entered


def test_dates_before_publishing_let_nobody_in_and_later_ones_do() -> None:
    world = World()
    world.appear("ann", renewal="2026-03-03").appear("bob", renewal="2026-03-09").after("5d")
    world.publish(dated()).after("10d")

    assert world.times("entered", "ann") == []
    assert world.times("entered", "bob") == ["2026-03-09T09:00Z"]


def test_a_contact_that_moves_on_the_day_is_let_in_once() -> None:
    world = World(dated())
    world.appear("ann", renewal="2026-03-05", timezone="Asia/Tokyo").at("2026-03-05T03:00Z")
    world.identify("ann", timezone="America/New_York").after("3d")

    assert world.times("entered") == ["2026-03-05T00:00Z"]


def test_rule_1_9_a_date_that_came_while_the_engine_was_down_is_made_good() -> None:
    world = World(dated())
    world.appear("ann", renewal="2026-03-05")
    world.engine_down_until("2026-03-06T08:00Z").track("ann", "Seen", arrived="2026-03-05T12:00Z")

    assert world.times("entered") == ["2026-03-06T08:00Z"]
    assert world.details("entered")[0]["due"] == "2026-03-05T09:00:00.000000Z"


def test_three_days_after_a_contact_was_made() -> None:
    world = World(flow(NOTE, trigger="{type: date, attribute: created_at, offset: 3d, at: '08:00'}"))
    world.track("ann", "Seen").after("9d")

    assert world.times("entered") == ["2026-03-05T08:00Z"]


# --- schedules -------------------------------------------------------------------------------------------------------


def test_rule_3_8_everyone_in_the_segment_enters_at_that_instant() -> None:
    world = World("segment: vip\nwhen: {tag: vip}\n---\n", scheduled("cron: '0 10 * * mon,wed'", "vip"))
    world.appear("ann", "vip").appear("bob").after("1d").tag("bob", "vip").after("6d")

    assert world.times("entered", "ann") == ["2026-03-02T10:00Z", "2026-03-04T10:00Z"]
    assert world.times("entered", "bob") == ["2026-03-04T10:00Z"]
    assert world.details("entered")[0] == {
        "trigger": 0,
        "properties": {"fire_at": "2026-03-02T10:00:00.000000Z"},
    }


def test_rule_3_8_a_newsletter_goes_out_once() -> None:
    world = World(ALL, scheduled("at: '2026-03-03T10:00:00Z'"))
    world.appear("ann").after("2d").appear("bob").after("9d")

    assert world.times("entered", "ann") == ["2026-03-03T10:00Z"]
    assert world.times("entered", "bob") == []


def test_rule_1_4_events_of_the_instant_go_first_and_runs_last() -> None:
    world = World("segment: vip\nwhen: {tag: vip}\n---\n", scheduled("at: '2026-03-02T10:00:00Z'", "vip"))
    world.appear("ann").after("1h").tag("ann", "vip")

    assert world.times("entered") == ["2026-03-02T10:00Z"]


@pytest.mark.parametrize(
    ("zone", "instants"),
    [
        ("local", ["2026-03-02T14:00Z", "2026-03-09T13:00Z"]),  # New York's clocks go forward on the 8th
        ("Europe/Warsaw", ["2026-03-09T08:00Z"]),
        (None, ["2026-03-02T09:00Z", "2026-03-09T09:00Z"]),
    ],
)
def test_a_schedule_comes_where_its_zone_says(zone: str | None, instants: list[str]) -> None:
    more = "" if zone is None else f", timezone: {zone}"
    world = World(ALL, scheduled(f"cron: '0 9 * * mon'{more}"))
    world.appear("ann", timezone="America/New_York").after("10d")

    assert world.times("entered") == instants


def test_a_contact_that_moves_west_gets_a_local_schedule_once() -> None:
    world = World(ALL, scheduled("cron: '0 9 * * tue', timezone: local"))
    world.appear("ann", timezone="Asia/Tokyo").at("2026-03-03T03:00Z").identify("ann", timezone="America/New_York")
    world.after("8d")

    assert world.times("entered") == ["2026-03-03T00:00Z", "2026-03-10T13:00Z"]


@pytest.mark.parametrize(("back", "entered"), [("2026-03-02T11:00Z", 1), ("2026-03-02T11:00:00.000001Z", 0)])
def test_rule_3_8_what_was_missed_is_made_good_within_catch_up(back: str, entered: int) -> None:
    world = World(ALL, scheduled("at: '2026-03-02T10:00:00Z'"))
    world.appear("ann").engine_down_until(back)

    assert len(world.times("entered")) == entered


@pytest.mark.parametrize(
    "document",
    [
        {"cron": "0 9 * *"},
        {"cron": "0 9 31 2 *"},
        {"cron": "61 9 * * *"},
        {"cron": "0 0 9 * * *"},
        {"cron": "@daily"},
        {"at": "tomorrow"},
        {"at": "2026-03-02", "cron": "0 9 * * *"},
        {},
        {"cron": "0 9 * * *", "timezone": "Mars/Base"},
    ],
)
def test_schedules_that_never_come_or_that_are_none_are_refused(document: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ScheduleTrigger.model_validate({"type": "schedule", "segment": "all", **document})


# --- cron and the clock ----------------------------------------------------------------------------------------------


def times(cron: str, zone: str, start: str, count: int) -> list[str]:
    table = Timetable(cron, None, ZoneInfo(zone))
    coming = table.first(instant(start))
    found: list[str] = []
    while coming is not None and len(found) < count:
        found.append(short(coming.at))
        coming = table.after(coming)
    return found


def test_rule_4_4_cron_at_a_time_that_is_skipped_comes_once_after_the_gap() -> None:
    assert times("30 2 * * *", "Europe/Warsaw", "2026-03-28T00:00Z", 3) == [
        "2026-03-28T01:30Z",
        "2026-03-29T01:00Z",
        "2026-03-30T00:30Z",
    ]
    assert times("0,30 2,3 * * *", "Europe/Warsaw", "2026-03-29T00:00Z", 3) == [
        "2026-03-29T01:00Z",  # 02:00, 02:30 and 03:00 are one instant
        "2026-03-29T01:30Z",
        "2026-03-30T00:00Z",
    ]


def test_rule_4_4_cron_at_a_time_that_comes_twice_comes_at_the_first() -> None:
    assert times("30 2 * * *", "Europe/Warsaw", "2026-10-24T12:00Z", 2) == ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]


def test_cron_knows_months_and_weekdays() -> None:
    assert times("0 9 L * *", "UTC", "2026-02-01T00:00Z", 2) == ["2026-02-28T09:00Z", "2026-03-31T09:00Z"]
    assert times("0 9 * * sun#1", "UTC", "2026-03-02T00:00Z", 2) == ["2026-04-05T09:00Z", "2026-05-03T09:00Z"]


@given(
    st.sampled_from(["*/20 * * * *", "30 2 * * *", "0,30 1-3 * * *", "15 3 * * sun"]),
    st.sampled_from(["Europe/Warsaw", "Australia/Lord_Howe", "America/New_York", "Pacific/Apia"]),
    st.sampled_from(["2026-03-28", "2026-10-24", "2026-04-04", "2011-12-29", "2026-11-01"]),
    st.lists(st.integers(0, 3 * 24 * 60), min_size=1, max_size=8),
)
def test_a_timetable_answers_alike_whatever_was_asked_before(
    cron: str, zone: str, day: str, minutes: list[int]
) -> None:
    """The first time at or after an instant is the first of all local times, as rule 4.4 reads them."""
    begin = instant(day)
    local = ZoneInfo(zone)
    walls = [datetime.fromtimestamp(begin.timestamp() + 60 * one, begin.tzinfo) for one in range(-1_600, 8 * 24 * 60)]
    fitting = [at_local(local, wall.date(), wall.time().replace(tzinfo=None)) for wall in walls if _fits(cron, wall)]
    table = Timetable(cron, None, local)
    for minute in minutes:
        since = datetime.fromtimestamp(begin.timestamp() + 60 * minute, begin.tzinfo)
        coming = table.first(since)
        assert coming is not None
        later = [at for at in fitting if at >= since]
        if later:
            assert coming.at == min(later)


def _fits(cron: str, wall: datetime) -> bool:
    match cron:
        case "*/20 * * * *":
            return wall.minute % 20 == 0
        case "30 2 * * *":
            return (wall.hour, wall.minute) == (2, 30)
        case "0,30 1-3 * * *":
            return wall.hour in (1, 2, 3) and wall.minute in (0, 30)
        case _:
            return (wall.weekday(), wall.hour, wall.minute) == (6, 3, 15)
