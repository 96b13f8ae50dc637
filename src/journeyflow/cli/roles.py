"""What an engine does: turns, deliveries, and what happens periodically; started in order, and stopped in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from typing import Final, Literal

import typer

from journeyflow.bootstrap import Installation
from journeyflow.db.notices import ARRIVED, HAPPENED, LISTENING
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import is_postgresql
from journeyflow.services.metrics import Metrics
from journeyflow.services.stream import Stream
from journeyflow.services.turn import Done
from journeyflow.worker.caller import Caller
from journeyflow.worker.dispatcher import Dispatcher
from journeyflow.worker.loop import Loop
from journeyflow.worker.notices import Announcer, Listener, Onlooker, Relay
from journeyflow.worker.schedule import Schedule
from journeyflow.worker.turns import TurnLoop

Role = Literal["turns", "dispatch", "schedule"]
ROLES: Final[tuple[Role, ...]] = ("turns", "dispatch", "schedule")
Wake = Callable[[], None]


def read_roles(text: str) -> list[Role]:
    """``turns,dispatch`` as the roles that it names.

    :raises typer.BadParameter: when one of them is none.
    """
    named = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [one for one in named if one not in ROLES]
    if unknown or not named:
        raise typer.BadParameter(f"expected some of {', '.join(ROLES)}, found {unknown[0] if unknown else text!r}")
    return [one for one in ROLES if one in named]


def start_engine(
    stack: ExitStack, installation: Installation, metrics: Metrics, happenings: Stream, roles: Collection[Role] = ROLES
) -> Wake:
    """Start the parts of an engine; the stack ends them. What wakes the turns, here and in other processes."""
    one = installation
    relay = Relay(one.engine)
    dispatcher, caller = _deliveries(one, metrics, [happenings.on_outcome, relay.on_outcome])

    def on_turn(done: Done, seconds: float) -> None:
        metrics.on_turn(done, seconds)
        happenings.on_turn(done)
        relay.on_turn(done)
        if done.messages:
            dispatcher.wake()
        if done.calls:
            caller.wake()

    turns = TurnLoop(one.engine, one.cache, one.clock, one.make_code, on_turn)
    parts: list[Loop | Schedule] = []
    if "dispatch" in roles:
        parts += [dispatcher, caller]
    if "turns" in roles:
        parts += [turns]
    if "schedule" in roles:
        parts += [Schedule(one.engine, one.clock)]
    if is_postgresql(one.engine):
        heard = {ARRIVED: lambda _: turns.wake(), LISTENING: relay.attend}
        parts += [relay, Listener(one.engine, heard)]
    for part in parts:
        part.start()
        stack.callback(part.stop)
    others = tell_others(stack, one)

    def wake() -> None:
        turns.wake()
        others()

    caller.on_reply = wake
    return wake


def _deliveries(
    one: Installation, metrics: Metrics, told: Iterable[Callable[[Outcome], None]]
) -> tuple[Dispatcher, Caller]:
    outlet = one.outlet()

    def on_outcome(outcome: Outcome, redelivered: bool) -> None:
        metrics.on_outcome(outcome, redelivered)
        for tell in told:
            tell(outcome)

    dispatcher = Dispatcher(one.engine, one.postmaster, outlet, one.clock, on_outcome)
    return dispatcher, Caller(one.engine, one.webhooks(), one.clock, metrics.on_call)


def look_on(stack: ExitStack, installation: Installation, happenings: Stream) -> None:
    """Let those who listen to what happens here hear what happens in other processes, too."""
    if is_postgresql(installation.engine):
        onlooker = Onlooker(installation.engine, happenings)
        for part in (onlooker, Listener(installation.engine, {HAPPENED: onlooker.hear})):
            part.start()
            stack.callback(part.stop)


def tell_others(stack: ExitStack, installation: Installation) -> Wake:
    """What wakes the engines of other processes; SQLite has one engine, which looks for itself."""
    if not is_postgresql(installation.engine):
        return _nobody
    announcer = Announcer(installation.engine)
    announcer.start()
    stack.callback(announcer.stop)
    return announcer.wake


def _nobody() -> None:
    """Another process is the engine; it looks for itself."""
