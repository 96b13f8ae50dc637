"""Times that do not go together (JF105 to JF107, JF111, JF115)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from journeyflow.core.check.finding import Finding
from journeyflow.core.check.subject import Subject, saves
from journeyflow.core.conditions import All, Condition, EventCondition, leaves
from journeyflow.core.leaf import PropertyCondition
from journeyflow.core.message_condition import MessageCondition
from journeyflow.core.nodes.base import Node
from journeyflow.core.nodes.coupon import CouponNode
from journeyflow.core.nodes.wait import WaitNode
from journeyflow.core.nodes.wait_for import WaitForNode
from journeyflow.core.triggers import ScheduleTrigger
from journeyflow.core.values import duration_text
from journeyflow.core.workspace import Channel, QuietHours

OPENS_NEED: Final = timedelta(hours=4)
"""Most people who open a mail have done so after some hours; before, "not opened" says little."""
OPENED: Final = "Email Opened"


SELDOM: Final = timedelta(hours=1)
"""A schedule that lets the same people in again and again should leave them so long."""
FIRINGS_LOOKED_AT: Final = 50
SOME_MONDAY: Final = datetime(2026, 1, 5, tzinfo=UTC)


def short_goal(subject: Subject) -> Iterator[Finding]:
    """JF105 (rule 7.3)."""
    goal, times = subject.journey.goal, subject.graph.from_start
    if goal is None or goal.within is None or not subject.messages:
        return
    last = max(subject.messages, key=lambda name: times[name])
    if goal.within < times[last]:
        message = (
            f"the message {last} goes out {duration_text(times[last])} after the entry at the earliest; "
            "what it brings is not counted"
        )
        yield subject.finding("JF105", "goal.within", message, duration_text(goal.within))


# --- schedules -------------------------------------------------------------------------------------------------------


def crowded_schedules(subject: Subject) -> Iterator[Finding]:
    """JF115."""
    if subject.journey.reentry.policy != "always":
        return
    for index, trigger in enumerate(subject.journey.triggers):
        if isinstance(trigger, ScheduleTrigger) and trigger.cron is not None:
            pause = _shortest_pause(trigger)
            if pause is not None and pause < SELDOM:
                message = (
                    f"it comes every {duration_text(pause)}, and reentry: always lets all of the segment in again each "
                    "time; expected it once an hour or less often, or reentry: {policy: after, gap: ...}"
                )
                yield subject.finding("JF115", f"triggers[{index}].cron", message, trigger.cron)


def _shortest_pause(trigger: ScheduleTrigger) -> timedelta | None:
    """The shortest time between two of its next firings."""
    table = trigger.timetable(ZoneInfo("UTC"))
    pauses = []
    coming = table.first(SOME_MONDAY)
    for _ in range(FIRINGS_LOOKED_AT):
        following = None if coming is None else table.after(coming)
        if coming is None or following is None:
            break
        pauses.append(following.at - coming.at)
        coming = following
    return min(pauses, default=None)


# --- opens -----------------------------------------------------------------------------------------------------------


def early_opens(subject: Subject) -> Iterator[Finding]:
    """JF106."""
    for name, node in subject.journey.nodes.items():
        patience = _patience(node)
        for path, channel, template in _opens_asked(node):
            times = [
                after[name]
                for sent, message in subject.messages.items()
                if message.channel == channel and template in (None, message.template)
                if name in (after := subject.graph.after(sent))
            ]
            if times and patience is not None and min(times) + patience < OPENS_NEED:
                passed = duration_text(min(times) + patience)
                message = f"asked {passed} after the message went out: too soon for most people to have opened it"
                yield subject.finding("JF106", f"nodes.{name}.{path}", message, OPENED)


def _patience(node: Node) -> timedelta | None:
    """How long the node itself waits for an answer; ``None``: for ever."""
    if not isinstance(node, WaitForNode):
        return timedelta()
    return None if isinstance(node.timeout, str) else node.timeout


def _opens_asked(node: Node) -> Iterator[tuple[str, Channel, str | None]]:
    """Where the node asks whether a message was opened: path, channel, and the template, where it is about one."""
    if isinstance(node, WaitForNode):
        for place, case in enumerate(node.cases):
            if case.event == OPENED:
                yield f"cases[{place}].event", "email", _template(case.where)
    for path, condition in node.conditions():
        for leaf in leaves(condition):
            if isinstance(leaf, EventCondition) and leaf.event == OPENED:
                yield path, "email", _template(leaf.where)
            elif isinstance(leaf, MessageCondition) and leaf.opened is not None and leaf.message.age < OPENS_NEED:
                yield path, leaf.message.channel, leaf.message.template


def _template(where: Condition | None) -> str | None:
    """The template that ``{property: template, eq: ID}`` names, alone or among others."""
    parts = where.all if isinstance(where, All) else (where,)
    for part in parts:
        if isinstance(part, PropertyCondition) and part.property == "template" and isinstance(part.eq, str):
            return part.eq
    return None


# --- coupons ---------------------------------------------------------------------------------------------------------


def short_coupons(subject: Subject) -> Iterator[Finding]:
    """JF107."""
    nodes = subject.journey.nodes
    for name, node in nodes.items():
        pool = subject.around.documents.pools.get(node.pool) if isinstance(node, CouponNode) else None
        if pool is None:
            continue
        saved = saves(node)
        renewed = {other for other, one in nodes.items() if saves(one) == saved}
        for sent, after in subject.graph.after(name, renewed).items():
            if sent in subject.messages and saved in _shown(subject, sent) and pool.valid_for < after:
                message = (
                    f"the message {sent} shows the code {duration_text(after)} after it was given at the earliest; "
                    f"codes of {pool.coupon_pool} are good for {duration_text(pool.valid_for)}"
                )
                yield subject.finding("JF107", f"nodes.{name}.pool", message, pool.coupon_pool)


def _shown(subject: Subject, name: str) -> set[str]:
    """What a message shows of ``vars``."""
    return {path[1] for path in subject.reads(subject.messages[name]) if path[0] == "vars" and len(path) > 1}


# --- quiet hours -----------------------------------------------------------------------------------------------------


def quiet_times(subject: Subject) -> Iterator[Finding]:
    """JF111."""
    workspace = subject.around.workspace
    hours = None if workspace is None else workspace.quiet_hours
    if hours is None:
        return
    marketing = dict(subject.marketing())
    for name, node in subject.journey.nodes.items():
        found = _time_of_day(node)
        if found is None or not _is_quiet(found[1], hours):
            continue
        held = next((other for other in subject.graph.at_once_after(name) if other in marketing), None)
        if held is not None:
            message = f"the quiet hours end at {hours.to:%H:%M}; the message {held} waits until then"
            yield subject.finding("JF111", f"nodes.{name}.{found[0]}", message, f"{found[1]:%H:%M}")


def _time_of_day(node: Node) -> tuple[str, time] | None:
    if not isinstance(node, WaitNode):
        return None
    if node.at is not None:
        return "at", node.at
    if node.until_time is not None:
        return "until_time.at", node.until_time.at
    return ("until.at", node.until.at) if node.until is not None and node.until.at is not None else None


def _is_quiet(at: time, hours: QuietHours) -> bool:
    if hours.from_ <= hours.to:
        return hours.from_ <= at < hours.to
    return at >= hours.from_ or at < hours.to
