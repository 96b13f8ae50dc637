from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from journeyflow.core.local_time import (
    LATEST,
    anniversary,
    anniversary_within,
    at_local,
    end_of_local_day,
    in_window,
    is_zone,
    next_at,
    next_midnight,
    quiet_end,
    wait_until,
    window_edge,
    zone,
)

WARSAW = ZoneInfo("Europe/Warsaw")
NEW_YORK = ZoneInfo("America/New_York")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
APIA = ZoneInfo("Pacific/Apia")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# Around which something odd happens; the last three are ordinary days.
ODD_DAYS: list[tuple[str, date]] = [
    ("Europe/Warsaw", date(2026, 3, 29)),  # 02:00 becomes 03:00
    ("Europe/Warsaw", date(2026, 10, 25)),  # 03:00 becomes 02:00
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour only
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 11, 4)),  # midnight becomes 01:00
    ("America/Sao_Paulo", date(2019, 2, 17)),  # midnight becomes 23:00 of the day before
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
    ("Africa/Cairo", date(2026, 4, 24)),  # midnight becomes 01:00
    ("Africa/Cairo", date(2026, 10, 30)),
    ("America/St_Johns", date(2010, 11, 7)),  # 00:01 becomes 23:01 of the day before
    ("Africa/Casablanca", date(2026, 2, 15)),  # Ramadan: 03:00 becomes 02:00
    ("Africa/Casablanca", date(2026, 3, 22)),
    ("Asia/Kathmandu", date(2026, 6, 1)),  # 5:45 ahead
    ("Europe/Warsaw", date(2026, 6, 1)),
    ("UTC", date(2026, 6, 1)),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(instant: datetime, place: ZoneInfo) -> datetime:
    return instant.astimezone(place).replace(tzinfo=None)


@st.composite
def places_and_instants(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    name, day = draw(st.sampled_from(ODD_DAYS))
    noon = datetime.combine(day, time(12), UTC)
    return ZoneInfo(name), noon + MINUTE * draw(st.integers(-3 * 1440, 2 * 1440))


times = st.one_of(
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    st.builds(time, st.sampled_from([0, 1, 2, 3, 23]), st.sampled_from([0, 15, 30, 45])),
)
weekday_sets = st.none() | st.frozensets(st.integers(0, 6), min_size=1)


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    while start <= end:
        yield start
        start += MINUTE


def local_time_by_search(place: ZoneInfo, day: date, at: time) -> datetime:
    """Rule 4.4 word for word: the first minute at which the clock there shows that time, or is past it."""
    wanted = datetime.combine(day, at)
    start = wanted.replace(tzinfo=UTC) - timedelta(hours=15)
    return next(instant for instant in minutes(start, LATEST) if wall(instant, place) >= wanted)


def next_by_search(now: datetime, place: ZoneInfo, at: time, weekdays: frozenset[int] | None, after: bool) -> datetime:
    today = wall(now, place).date()
    days = (today + DAY * number for number in range(-2, 10))
    due = [local_time_by_search(place, day, at) for day in days if weekdays is None or day.weekday() in weekdays]
    return min(instant for instant in due if instant > now or (instant == now and not after))


# --- zones -----------------------------------------------------------------------------------------------------------


def test_the_first_name_that_is_a_time_zone_counts() -> None:
    assert zone("Europe/Warsaw", "Asia/Kathmandu", "UTC").key == "Europe/Warsaw"
    assert zone(None, "nowhere", "Asia/Kathmandu").key == "Asia/Kathmandu"


@pytest.mark.parametrize(
    "name",
    [
        None, "", " ", "Europe", "Europe/Nowhere", "europe/warsaw", "Europe/Warsaw ", "../etc/passwd",
        "../zoneinfo/Europe/Warsaw", "/etc/localtime", "localtime", "posixrules", "right/Europe/Warsaw",
        "Europe/Warsaw\0", "\ud800", "x" * 100_000, "CET-1CEST", 5, True, ["UTC"], {"a": 1},
    ],
)  # fmt: skip
def test_what_names_no_time_zone_is_passed_over(name: object) -> None:
    assert not is_zone(name)
    assert zone(name).key == "UTC"
    assert zone(name, "Asia/Kathmandu").key == "Asia/Kathmandu"


def test_without_any_name_it_is_utc() -> None:
    assert zone().key == "UTC"


@given(st.text() | st.integers() | st.none() | st.lists(st.text()) | st.dictionaries(st.text(), st.none()))
def test_no_attribute_breaks_the_choice_of_a_zone(name: object) -> None:
    assert zone(name).key == (name if is_zone(name) else "UTC")


# --- rule 4.4 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "local", "instant"),
    [
        ("Europe/Warsaw", "2026-06-01T09:00", "2026-06-01T07:00"),
        ("Europe/Warsaw", "2026-03-29T01:59", "2026-03-29T00:59"),
        ("Europe/Warsaw", "2026-03-29T02:00", "2026-03-29T01:00"),
        ("Europe/Warsaw", "2026-03-29T02:30", "2026-03-29T01:00"),
        ("Europe/Warsaw", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"),
        ("America/Sao_Paulo", "2018-11-04T00:30", "2018-11-04T03:00"),
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00"),
    ],
)
def test_rule_4_4_a_skipped_local_time_is_the_first_instant_after_the_gap(place: str, local: str, instant: str) -> None:
    moment = datetime.fromisoformat(local)

    assert at_local(ZoneInfo(place), moment.date(), moment.time()) == utc(instant)


@pytest.mark.parametrize(
    ("place", "local", "instant"),
    [
        ("Europe/Warsaw", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("Europe/Warsaw", "2026-10-25T03:00", "2026-10-25T02:00"),
        ("America/New_York", "2026-11-01T01:00", "2026-11-01T05:00"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
        ("America/Sao_Paulo", "2019-02-16T23:30", "2019-02-17T01:30"),
    ],
)
def test_rule_4_4_a_local_time_that_comes_twice_is_the_first(place: str, local: str, instant: str) -> None:
    moment = datetime.fromisoformat(local)

    assert at_local(ZoneInfo(place), moment.date(), moment.time()) == utc(instant)
    assert at_local(ZoneInfo(place), moment.date(), moment.time().replace(fold=1)) == utc(instant)


@given(places_and_instants(), st.integers(-1, 1), times)
def test_rule_4_4_agrees_with_a_search_minute_by_minute(where: tuple[ZoneInfo, datetime], days: int, at: time) -> None:
    place, instant = where
    day = wall(instant, place).date() + DAY * days

    assert at_local(place, day, at) == local_time_by_search(place, day, at)


@pytest.mark.parametrize("place", ["Pacific/Kiritimati", "Pacific/Niue", "UTC"])
def test_the_ends_of_the_calendar_are_no_error(place: str) -> None:
    assert at_local(ZoneInfo(place), date.min, time.min).year == 1
    assert at_local(ZoneInfo(place), date.max, time.max).year == 9999
    assert wait_until(utc("2026-01-01T00:00"), timedelta.max, None, None, ZoneInfo(place)) == LATEST
    assert wait_until(utc("2026-01-01T00:00"), timedelta.max, time(9), None, ZoneInfo(place)).year == 9999


# --- the next such time ----------------------------------------------------------------------------------------------


def test_the_next_local_time_includes_now_unless_a_later_one_is_asked_for() -> None:
    nine = utc("2026-06-01T07:00")

    assert next_at(nine, WARSAW, time(9)) == nine
    assert next_at(nine, WARSAW, time(9), after=True) == nine + DAY
    assert next_at(nine - MINUTE, WARSAW, time(9), after=True) == nine
    assert next_at(nine + timedelta(microseconds=1), WARSAW, time(9)) == nine + DAY


def test_the_next_local_time_keeps_to_the_weekdays_of_the_place() -> None:
    sunday_late = utc("2026-06-07T20:00")  # already Monday in Kathmandu

    assert next_at(sunday_late, KATHMANDU, time(9), frozenset({MON})) == utc("2026-06-08T03:15")
    assert next_at(sunday_late, WARSAW, time(9), frozenset({SAT, SUN})) == utc("2026-06-13T07:00")


@given(places_and_instants(), times, weekday_sets, st.booleans())
def test_the_next_local_time_agrees_with_a_search(
    where: tuple[ZoneInfo, datetime], at: time, weekdays: frozenset[int] | None, after: bool
) -> None:
    place, now = where

    assert next_at(now, place, at, weekdays, after=after) == next_by_search(now, place, at, weekdays, after)


@given(places_and_instants(), times, weekday_sets)
def test_asking_for_the_next_local_time_again_moves_on(
    where: tuple[ZoneInfo, datetime], at: time, weekdays: frozenset[int] | None
) -> None:
    place, now = where
    first = next_at(now, place, at, weekdays)

    assert first >= now
    assert next_at(first, place, at, weekdays) == first
    assert next_at(first, place, at, weekdays, after=True) > first


# --- rule 4.3 --------------------------------------------------------------------------------------------------------


def test_rule_4_3_two_days_are_48_hours_across_a_clock_change() -> None:
    begun = utc("2026-03-28T11:00")  # noon in Warsaw, the day before summer time

    due = wait_until(begun, 2 * DAY, None, None, WARSAW)

    assert due == begun + timedelta(hours=48)
    assert wall(due, WARSAW).isoformat() == "2026-03-30T13:00:00"


def test_rule_4_3_weekdays_move_a_wait_on_to_the_same_local_time() -> None:
    friday = utc("2026-03-27T11:00")  # two days later it is Sunday 13:00 there

    due = wait_until(friday, 2 * DAY, None, frozenset({MON, TUE}), WARSAW)

    assert wall(due, WARSAW).isoformat() == "2026-03-30T13:00:00"
    assert wait_until(friday, 2 * DAY, None, frozenset({SUN}), WARSAW) == friday + 2 * DAY


def test_rule_4_3_with_at_the_wait_counts_local_calendar_days() -> None:
    monday = utc("2026-06-01T12:00")  # 14:00 there

    due = wait_until(monday, 2 * DAY, time(9), None, WARSAW)

    assert wall(due, WARSAW).isoformat() == "2026-06-03T09:00:00"


def test_rule_4_3_with_at_weekdays_move_the_day_on() -> None:
    thursday = utc("2026-06-04T12:00")

    due = wait_until(thursday, 2 * DAY, time(9), frozenset({MON}), WARSAW)

    assert wall(due, WARSAW).isoformat() == "2026-06-08T09:00:00"


def test_rule_4_3_zero_days_at_a_time_is_the_next_such_time_now_included() -> None:
    nine = utc("2026-06-01T07:00")

    assert wait_until(nine, timedelta(), time(9), None, WARSAW) == nine
    assert wait_until(nine, timedelta(), time(8), None, WARSAW) == utc("2026-06-02T06:00")
    assert wait_until(nine, timedelta(), time(9), frozenset({SUN}), WARSAW) == utc("2026-06-07T07:00")


def test_rule_4_9_zero_days_at_a_time_after_a_match_is_the_following_one() -> None:
    nine = utc("2026-06-01T07:00")

    assert wait_until(nine, timedelta(), time(9), None, WARSAW, after=True) == nine + DAY


def test_rule_4_3_a_wait_of_no_time_goes_on_at_once() -> None:
    now = utc("2026-06-01T07:00")

    assert wait_until(now, timedelta(), None, None, WARSAW, after=True) == now


@given(places_and_instants(), st.integers(0, 3000), weekday_sets)
def test_rule_4_3_without_at_agrees_with_its_words(
    where: tuple[ZoneInfo, datetime], length: int, weekdays: frozenset[int] | None
) -> None:
    place, begun = where
    elapsed = begun + MINUTE * length
    there = wall(elapsed, place)
    due = wait_until(begun, MINUTE * length, None, weekdays, place)

    if weekdays is None or there.weekday() in weekdays:
        assert due == elapsed
    else:
        days = (there.date() + DAY * number for number in range(1, 8))
        allowed = next(day for day in days if day.weekday() in weekdays)
        assert due == local_time_by_search(place, allowed, there.time())


@given(places_and_instants(), st.integers(1, 3), times, weekday_sets)
def test_rule_4_3_with_at_agrees_with_its_words(
    where: tuple[ZoneInfo, datetime], days: int, at: time, weekdays: frozenset[int] | None
) -> None:
    place, begun = where
    day = wall(begun, place).date() + DAY * days
    while weekdays is not None and day.weekday() not in weekdays:
        day += DAY

    assert wait_until(begun, DAY * days, at, weekdays, place) == local_time_by_search(place, day, at)


@given(places_and_instants(), st.integers(0, 3), st.none() | times, weekday_sets, st.booleans())
def test_no_wait_ends_before_it_began(
    where: tuple[ZoneInfo, datetime], days: int, at: time | None, weekdays: frozenset[int] | None, after: bool
) -> None:
    place, begun = where

    assert wait_until(begun, DAY * days, at, weekdays, place, after=after) >= begun


# --- windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shown", "inside"), [("08:59", False), ("09:00", True), ("17:59", True), ("18:00", False)])
def test_a_window_includes_its_beginning_and_not_its_end(shown: str, inside: bool) -> None:
    now = at_local(WARSAW, date(2026, 6, 1), time.fromisoformat(shown))

    assert in_window(now, WARSAW, time(9), time(18)) is inside


@pytest.mark.parametrize(
    ("shown", "inside"), [("20:59", False), ("21:00", True), ("00:00", True), ("07:59", True), ("08:00", False)]
)
def test_rule_5_1_quiet_hours_go_over_midnight_where_they_begin_later_than_they_end(shown: str, inside: bool) -> None:
    now = at_local(WARSAW, date(2026, 6, 1), time.fromisoformat(shown))

    assert in_window(now, WARSAW, time(21), time(8)) is inside


def test_over_midnight_the_weekday_is_that_of_the_local_day_at_hand() -> None:
    friday = frozenset({FRI})
    instants = {
        "2026-06-05T05:00": True, "2026-06-05T12:00": False, "2026-06-05T23:00": True, "2026-06-06T05:00": False,
    }  # fmt: skip

    for text, inside in instants.items():
        local = datetime.fromisoformat(text)
        now = at_local(WARSAW, local.date(), local.time())
        assert in_window(now, WARSAW, time(22), time(6), friday) is inside


def test_a_window_that_begins_when_it_ends_is_empty() -> None:
    nine = utc("2026-06-01T07:00")

    assert not in_window(nine, WARSAW, time(9), time(9))
    assert window_edge(nine, WARSAW, time(9), time(9)) is None
    assert quiet_end(nine, WARSAW, time(9), time(9)) == nine


def test_an_open_window_goes_from_or_to_midnight() -> None:
    morning, evening = utc("2026-06-01T05:00"), utc("2026-06-01T20:00")

    assert in_window(morning, WARSAW, None, time(9))
    assert not in_window(evening, WARSAW, None, time(9))
    assert in_window(evening, WARSAW, time(18), None)
    assert window_edge(evening, WARSAW, time(18), None) == utc("2026-06-01T22:00")


def test_a_window_of_all_days_at_all_times_never_changes() -> None:
    now = utc("2026-06-01T05:00")

    assert in_window(now, WARSAW, None, None, None)
    assert window_edge(now, WARSAW, None, None, None) is None
    assert window_edge(now, WARSAW, None, None, frozenset(range(7))) is None
    assert window_edge(now, WARSAW, time(0), None) is None


def test_rule_3_7_the_next_edge_of_a_window_is_found_days_ahead() -> None:
    monday = utc("2026-06-01T05:00")

    assert window_edge(monday, WARSAW, None, None, frozenset({SAT, SUN})) == utc("2026-06-05T22:00")
    assert window_edge(monday, WARSAW, time(9), time(18), frozenset({SUN})) == utc("2026-06-07T07:00")
    assert window_edge(utc("2026-06-07T16:00"), WARSAW, time(9), time(18), frozenset({SUN})) == utc("2026-06-14T07:00")


def windows() -> st.SearchStrategy[tuple[time | None, time | None, frozenset[int] | None]]:
    return st.tuples(st.none() | times, st.none() | times, weekday_sets)


@given(places_and_instants(), windows())
def test_rule_3_7_a_window_changes_at_its_edge_and_not_before(
    where: tuple[ZoneInfo, datetime], window: tuple[time | None, time | None, frozenset[int] | None]
) -> None:
    place, now = where
    now_inside = in_window(now, place, *window)
    edge = window_edge(now, place, *window)
    end = now + 8 * DAY if edge is None else edge - MINUTE

    assert all(in_window(instant, place, *window) is now_inside for instant in minutes(now, end))
    assert edge is None or (edge > now and in_window(edge, place, *window) is not now_inside)


@given(places_and_instants(), st.integers(0, 59_999_999))
def test_an_edge_does_not_depend_on_where_in_the_minute_one_asks(
    where: tuple[ZoneInfo, datetime], microseconds: int
) -> None:
    place, now = where

    assert window_edge(now + timedelta(microseconds=microseconds), place, time(9), time(18)) == window_edge(
        now, place, time(9), time(18)
    )


@given(places_and_instants(), times, times)
def test_rule_5_1_quiet_hours_end_at_the_first_instant_that_is_not_quiet(
    where: tuple[ZoneInfo, datetime], from_: time, to: time
) -> None:
    place, now = where
    assume(in_window(now, place, from_, to))
    end = quiet_end(now, place, from_, to)

    assert end > now
    assert all(in_window(instant, place, from_, to) for instant in minutes(now, end - MINUTE))
    assert not in_window(end, place, from_, to)


def test_quiet_hours_that_do_not_hold_end_now() -> None:
    noon = utc("2026-06-01T10:00")

    assert quiet_end(noon, WARSAW, time(21), time(8)) == noon


# --- days ------------------------------------------------------------------------------------------------------------


@given(places_and_instants())
def test_midnight_is_the_first_instant_with_another_local_date(where: tuple[ZoneInfo, datetime]) -> None:
    place, now = where
    midnight = next_midnight(now, place)
    dates = {wall(instant, place).date() for instant in minutes(now, midnight - MINUTE)}

    assert dates == {wall(now, place).date()}
    assert wall(midnight, place).date() not in dates


@pytest.mark.parametrize(
    ("place", "instant", "end"),
    [
        (WARSAW, "2026-06-01T10:00", "2026-06-01T23:59:59+02:00"),
        (WARSAW, "2026-06-01T22:00", "2026-06-02T23:59:59+02:00"),
        (NEW_YORK, "2026-11-01T05:30", "2026-11-01T23:59:59-05:00"),
        (SAO_PAULO, "2018-11-03T12:00", "2018-11-03T23:59:59-03:00"),
        (SAO_PAULO, "2019-02-16T12:00", "2019-02-16T23:59:59-03:00"),
        (APIA, "2011-12-30T09:00", "2011-12-29T23:59:59-10:00"),
        (KATHMANDU, "2026-06-01T18:14:59", "2026-06-01T23:59:59+05:45"),
    ],
)
def test_the_end_of_a_local_day_is_its_last_second(place: ZoneInfo, instant: str, end: str) -> None:
    assert end_of_local_day(utc(instant), place).isoformat() == end


# --- anniversaries ---------------------------------------------------------------------------------------------------


def test_29_february_counts_as_28_in_other_years() -> None:
    born = date(2000, 2, 29)

    assert anniversary(born, 2028) == date(2028, 2, 29)
    assert anniversary(born, 2026) == date(2026, 2, 28)
    assert anniversary(datetime(2000, 2, 29, 12, tzinfo=UTC), 2100) == date(2100, 2, 28)


@pytest.mark.parametrize(
    ("today", "days", "within"),
    [
        ("2026-06-10", 0, True),
        ("2026-06-11", 0, False),
        ("2026-06-11", 363, False),
        ("2026-06-11", 364, True),
        ("2026-06-03", 7, True),
        ("2026-06-02", 7, False),
        ("2026-06-10", -1, False),
        ("9999-12-31", 400, False),
    ],
)
def test_an_anniversary_is_within_days_that_include_today_and_the_last(today: str, days: int, within: bool) -> None:
    assert anniversary_within(date(1990, 6, 10), date.fromisoformat(today), days) is within


def test_an_anniversary_is_found_across_the_turn_of_the_year() -> None:
    assert anniversary_within(date(1990, 1, 2), date(2026, 12, 30), 3)
    assert not anniversary_within(date(1990, 1, 3), date(2026, 12, 30), 3)


@given(st.dates(), st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 800))
def test_anniversaries_agree_with_a_search_day_by_day(born: date, today: date, days: int) -> None:
    coming = [today + DAY * number for number in range(days + 1)]

    assert anniversary_within(born, today, days) is any(anniversary(born, day.year) == day for day in coming)
