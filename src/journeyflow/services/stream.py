"""What happens, told as it happens to those who listen; who is slow misses some, and is told how many.

Nothing here waits: neither the engine for a listener nor one listener for another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from journeyflow.core.effects import TrailRecord
from journeyflow.core.errors import Busy
from journeyflow.core.values import JSON, iso
from journeyflow.db.outbox import Outcome

if TYPE_CHECKING:
    from journeyflow.services.turn import Done

WAITING_MAX: Final = 10_000
"""So many notices wait for one listener; beyond it new ones are dropped and counted."""
LISTENERS_MAX: Final = 32


class Notice(NamedTuple):
    """One thing that happened: ``name`` is a kind of the trail, ``delivery``, ``coupon_pool_low``, ``alert``,
    ``dropped``."""

    name: str
    data: dict[str, JSON]


class Listener:
    """What one listener has yet to hear, of one journey or contact where it names them.

    ``wake`` is called, from any thread, when there is something where there was nothing, and at the end.
    """

    def __init__(self, wake: Callable[[], None], journey: str | None, contact: str | None) -> None:
        self._wake = wake
        self._journey = journey
        self._contact = contact
        self._lock = Lock()
        self._waiting: deque[Notice | TrailRecord] = deque()
        self._dropped = 0
        self.ended = False

    def wants(self, journey: str | None, contact: str | None) -> bool:
        """Whether what happened in a journey to a contact concerns it."""
        return self._journey in (None, journey) and self._contact in (None, contact)

    def put(self, happened: Iterable[Notice | TrailRecord]) -> None:
        """Something for it."""
        with self._lock:
            slept = not self._waiting and not self._dropped
            for one in happened:
                if len(self._waiting) < WAITING_MAX:
                    self._waiting.append(one)
                else:
                    self._dropped += 1
            waits = bool(self._waiting)
        if slept and waits:
            self._wake()

    def miss(self, count: int) -> None:
        """So many that it is not told of."""
        with self._lock:
            self._dropped += count
        self._wake()

    def take(self) -> list[Notice]:
        """Everything that waits, in order; where some had to be dropped, how many, at the end."""
        with self._lock:
            taken, dropped = [*self._waiting], self._dropped
            self._waiting.clear()
            self._dropped = 0
        notices = [as_notice(one) if isinstance(one, TrailRecord) else one for one in taken]
        return [*notices, Notice("dropped", {"n": dropped})] if dropped else notices

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._wake()


def as_notice(record: TrailRecord) -> Notice:
    """A record of the trail, for who listens."""
    return Notice(record.kind, {**record._asdict(), "at": iso(record.at)})


class Stream:
    """Hands on to every listener what the engine of this process tells. May be used from any thread."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._lock = Lock()
        self._ended = False
        self.on_listen: Callable[[], None] = lambda: None
        """Is called when somebody begins to listen."""

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def listen(self, wake: Callable[[], None], journey: str | None = None, contact: str | None = None) -> Listener:
        """From here on, whatever happens is put to the listener.

        :raises Busy: when too many listen, or the process is about to end.
        """
        listener = Listener(wake, journey, contact)
        with self._lock:
            if self._ended or len(self._listeners) >= LISTENERS_MAX:
                raise Busy(f"more than {LISTENERS_MAX} listen to what happens; try again later")
            self._listeners = (*self._listeners, listener)
        self.on_listen()
        return listener

    def leave(self, listener: Listener) -> None:
        """It listens no more."""
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

    def end(self) -> None:
        """Every listener hears what waits for it, then nothing more."""
        with self._lock:
            self._ended = True
            ending = self._listeners
        for listener in ending:
            listener.end()

    # --- what is told -------------------------------------------------------------------------------------------------

    def on_turn(self, done: Done) -> None:
        """What a turn decided, once it is on disk."""
        for listener in self._listeners:
            listener.put(record for _, record in done.trail if listener.wants(record.journey, record.contact))
            if listener.wants(None, None):
                listener.put(Notice("coupon_pool_low", {**one._asdict()}) for one in done.pools_low)
                listener.put(Notice("alert", {"text": alert}) for alert in done.alerts)

    def on_outcome(self, outcome: Outcome) -> None:
        """How an attempt to deliver a message ended; ``queued`` means that it is tried again."""
        if not self._listeners:
            return
        told = delivery(outcome)
        message = outcome.message
        for listener in self._listeners:
            if listener.wants(message.journey, message.contact):
                listener.put([told])

    def hear(self, records: Sequence[TrailRecord], notices: Sequence[Notice], dropped: int) -> None:
        """What another process told; ``dropped`` is how much more there was."""
        for listener in self._listeners:
            listener.put(record for record in records if listener.wants(record.journey, record.contact))
            listener.put(one for one in notices if listener.wants(*_about(one)))
            if dropped and listener.wants(None, None):
                listener.miss(dropped)


def delivery(outcome: Outcome) -> Notice:
    """How an attempt to deliver a message ended, for who listens."""
    message = outcome.message
    data: dict[str, JSON] = {
        "at": iso(outcome.at),
        "message": message.id,
        "contact": message.contact,
        "journey": message.journey,
        "node": message.node,
        "run": message.run,
        "channel": message.channel,
        "status": outcome.status,
        "reason": outcome.reason,
    }
    return Notice("delivery", data)


def _about(notice: Notice) -> tuple[str | None, str | None]:
    journey, contact = notice.data.get("journey"), notice.data.get("contact")
    return journey if isinstance(journey, str) else None, contact if isinstance(contact, str) else None
