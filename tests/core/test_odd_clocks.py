"""Waits, quiet hours and local times of whole journeys where clocks are changed, against a search minute by minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.world import World, flow

from journeyflow.core.local_time import moved

MINUTE = timedelta(minutes=1)
ODD_DAYS: list[tuple[str, date]] = [
    ("Europe/Warsaw", date(2026, 3, 29)),
    ("Europe/Warsaw", date(2026, 10, 25)),
    ("Asia/Kathmandu", date(2026, 6, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/St_Johns", date(2010, 11, 7)),  # 00:01 becomes 23:01 of the day before
    ("America/St_Johns", date(2026, 3, 8)),
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("Africa/Casablanca", date(2026, 3, 22)),
]
times = st.builds(time, st.sampled_from([0, 1, 2, 3, 8, 21, 23]), st.sampled_from([0, 1, 30, 45]))


@st.composite
def places_and_instants(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    name, day = draw(st.sampled_from(ODD_DAYS))
    return ZoneInfo(name), datetime.combine(day, time(12), UTC) + MINUTE * draw(st.integers(-2160, 1440))


def first(start: datetime, test: Callable[[datetime], bool]) -> datetime:
    """The first minute from ``start`` on, included, of which the test holds."""
    while not test(start):
        start += MINUTE
    return start


def world(place: ZoneInfo, now: datetime, nodes: str, quiet: tuple[time, time] | None = None) -> World:
    hours = "" if quiet is None else f"quiet_hours: {{from: '{quiet[0]:%H:%M}', to: '{quiet[1]:%H:%M}'}}\n"
    made = World(f"workspace: shop\n{hours}---\n{flow(nodes)}", start=now.isoformat())
    return made.appear("ann", timezone=place.key, email="ann@example.com").track("ann", "Go")


def waits(of: World) -> list[datetime]:
    return [datetime.fromisoformat(str(one["until"])) for one in of.details("waiting")]


@settings(max_examples=60)
@given(places_and_instants(), times, times)
def test_rule_5_1_a_message_waits_for_the_first_minute_that_is_not_quiet(
    where: tuple[ZoneInfo, datetime], from_: time, to: time
) -> None:
    place, now = where

    def loud(instant: datetime) -> bool:
        shown = instant.astimezone(place).time()
        return not (from_ <= shown < to if from_ <= to else shown >= from_ or shown < to)

    found = world(place, now, "mail: {type: email, template: letter}", (from_, to))

    end = first(now, loud)
    assert waits(found) == ([] if end == now else [end])
    found.after("48h")
    assert [(one.kind, one.at) for one in found.trail()[-2:]] == [("message", end), ("completed", end)]


def local_time_by_search(place: ZoneInfo, day: date, at: time) -> datetime:
    """Rule 4.4 word for word: the first minute at which the clock there shows that time, or is past it."""
    wanted = datetime.combine(day, at)
    begin = wanted.replace(tzinfo=UTC) - timedelta(hours=15)
    return first(begin, lambda instant: instant.astimezone(place).replace(tzinfo=None) >= wanted)


@settings(max_examples=60)
@given(places_and_instants(), times)
def test_rule_4_4_a_wait_for_a_time_of_day_ends_when_the_clock_first_shows_it_or_is_past_it(
    where: tuple[ZoneInfo, datetime], at: time
) -> None:
    place, now = where

    def when(day: date) -> datetime:
        return local_time_by_search(place, day, at)

    today = now.astimezone(place).date()
    due = min(one for days in range(-2, 4) if (one := when(today + timedelta(days=days))) >= now)

    for node in (f"{{type: wait, until_time: {{at: '{at:%H:%M}'}}}}", f"{{type: wait, for: 0d, at: '{at:%H:%M}'}}"):
        assert waits(world(place, now, f"pause: {node}")) == ([] if due == now else [due])
    tomorrow = world(place, now, f"pause: {{type: wait, for: 1d, at: '{at:%H:%M}'}}")
    assert waits(tomorrow) == [when(today + timedelta(days=1))] or when(today + timedelta(days=1)) <= now


@settings(max_examples=60)
@given(places_and_instants(), times, times, st.frozensets(st.integers(0, 6), min_size=1))
def test_rule_3_7_a_local_time_wakes_who_waits_for_it_at_its_first_minute(
    where: tuple[ZoneInfo, datetime], from_: time, to: time, weekdays: frozenset[int]
) -> None:
    place, now = where
    names = ", ".join(("mon", "tue", "wed", "thu", "fri", "sat", "sun")[one] for one in sorted(weekdays))
    hours = f"{{weekdays: [{names}], from: '{from_:%H:%M}', to: '{to:%H:%M}'}}"

    def inside(instant: datetime) -> bool:
        local = instant.astimezone(place)
        shown = local.time()
        in_hours = from_ <= shown < to if from_ <= to else shown >= from_ or shown < to
        return local.weekday() in weekdays and in_hours

    found = world(
        place, now, f"pause: {{type: wait_for, cases: [{{when: {{local_time: {hours}}}}}], timeout: 3d}}"
    ).after("4d")

    ended = found.trail()[-1].at
    end = now + timedelta(days=3)
    assert ended == (
        end if not any(inside(now + MINUTE * number) for number in range(3 * 1440)) else first(now, inside)
    )


# --- rule 4.5: a date, so many days before or after, at a time --------------------------------------------------------


@given(places_and_instants(), st.integers(-4, 4), times)
def test_rule_4_5_days_before_a_date_at_a_time_agree_with_a_search(
    where: tuple[ZoneInfo, datetime], days: int, at: time
) -> None:
    place, date_ = where

    day = date_.astimezone(place).replace(tzinfo=None).date() + timedelta(days=1) * days

    assert moved(date_, place, timedelta(days=1) * days, at) == local_time_by_search(place, day, at)


@given(places_and_instants(), st.one_of(st.integers(-3000, 3000), st.integers(-4, 4).map(lambda days: days * 1440)))
def test_rule_4_5_hours_and_days_before_a_date_are_so_much_time(where: tuple[ZoneInfo, datetime], length: int) -> None:
    place, date_ = where

    assert moved(date_, place, MINUTE * length, None) == date_ + MINUTE * length
