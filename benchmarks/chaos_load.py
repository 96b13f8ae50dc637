"""What is sent to a cluster while things happen to it, as an SDK does: again, with the same ids, until it is taken."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import httpx

from benchmarks.serving import WRITE_KEY
from journeyflow.clock import sleep

FLOWS: Final[dict[str, str]] = {
    "workspace.yaml": "workspace: chaos\nsender: {email: hello@shop.example}\npostal_address: Long Street 1\n",
    "hello.yaml": 'template: hello\nsubject: "Hi {{ contact.first_name }}"\nbody: <p>Hello</p>\n',
    "pool.yaml": "coupon_pool: ten\ncodes: generated\nprefix: TEN-\nreuse: never\n",
    "everybody.yaml": "segment: everybody\nwhen: {all: []}\n",
    "five.yaml": """
journey: five
triggers: [{type: event, event: Signed Up}]
reentry: {policy: always}
start: first
nodes:
  first: {type: email, template: hello, next: pause}
  pause: {type: wait, for: 1s, next: even}
  even: {type: branch, cases: [{when: {property: even, eq: true}, next: label}], else: code}
  label: {type: tag, add: [even], next: unlabel}
  unlabel: {type: tag, remove: [even]}
  code: {type: coupon, pool: ten, next: second}
  second: {type: email, template: hello}
""",
    "order.yaml": """
journey: order
triggers: [{type: event, event: Ordered}]
key: trigger.order
reentry: {policy: always}
exit_on: [{event: Cancelled, where: {property: order, eq: {ref: trigger.order}}}]
goal: {event: Paid, within: 1d, where: {property: order, eq: {ref: trigger.order}}}
start: paid
nodes:
  paid:
    type: wait_for
    cases: [{event: Paid, where: {property: order, eq: {ref: trigger.order}}, next: thanks}]
    timeout: 2s
  thanks: {type: update, set: {customer: true}}
""",
    "patient.yaml": """
journey: patient
triggers: [{type: event, event: Signed Up}]
start: long
nodes:
  long: {type: wait, for: 30d}
""",
    "minutely.yaml": """
journey: minutely
triggers: [{type: schedule, cron: "* * * * *", segment: everybody, timezone: UTC}]
reentry: {policy: always}
start: count
nodes:
  count: {type: update, increment: {minutes: 1}}
""",
}
BATCH: Final = 40
INTRODUCED_AT_ONCE: Final = 500
PORTIONS_PER_SECOND: Final = 10
NAMES: Final = {"Seen": 50, "Signed Up": 5, "Ordered": 15, "Paid": 15, "Cancelled": 15}
VISITS_OF_A_HUNDRED: Final = 10
"""So many events are of visitors, whom nobody knows yet; some of them become known."""
AGAIN: Final = frozenset({429, 503})
Event = dict[str, Any]  # Any: JSON


class Load:
    """What the clients have sent: ``accepted`` are the numbers of events that were answered 200."""

    def __init__(self, contacts: int, random: Random) -> None:
        self.accepted: set[int] = set()
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._contacts = contacts
        self._random = random
        self._sent = 0
        self._visitors = 0
        self._allowed = 0
        self._changed = threading.Condition()
        self._enough: int | None = None

    def grow(self, events_per_second: int) -> None:
        """Have so many sent each second, until it is over."""
        while not self._is_over():
            with self._changed:
                self._allowed += events_per_second // PORTIONS_PER_SECOND
                self._changed.notify_all()
            sleep(1 / PORTIONS_PER_SECOND)
        with self._changed:
            self._changed.notify_all()

    def end_at(self, events: int) -> None:
        """It is over as soon as so many have been sent."""
        self._enough = events

    def _is_over(self) -> bool:
        return self._enough is not None and self._sent >= self._enough

    def next_batch(self) -> list[Event] | None:
        """The next events; ``None`` when there are no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over() or self._sent < self._allowed)
            if self._is_over():
                return None
            return [event for _ in range(BATCH) for event in self._next()]

    def _next(self) -> Sequence[Event]:
        self._sent += 1
        n = self._sent
        (name,) = self._random.choices([*NAMES], [*NAMES.values()])
        properties = {"n": n, "even": n % 2 == 0, "order": self._random.randrange(n // 10 + 5)}
        event = {"type": "track", "event": name, "properties": properties, "messageId": f"m{n}"}
        if self._random.randrange(100) >= VISITS_OF_A_HUNDRED:
            return [{**event, "userId": self._somebody()}]
        if self._visitors and self._random.randrange(4):
            return [{**event, "anonymousId": f"v{self._random.randrange(self._visitors)}"}]
        visitor = f"v{self._visitors}"
        self._visitors += 1
        known = {"type": "alias", "previousId": visitor, "userId": self._somebody(), "messageId": f"a{n}"}
        return [{**event, "anonymousId": visitor}, known]

    def _somebody(self) -> str:
        return f"c{self._random.randrange(self._contacts)}"

    def send(self, url: str) -> None:
        """Send until it is over; a batch is sent again until it is answered 200."""
        with httpx.Client(auth=(WRITE_KEY, ""), timeout=20) as client:
            while (batch := self.next_batch()) is not None:
                while not self._is_taken(client, url, batch):
                    sleep(0.1)

    def _is_taken(self, client: httpx.Client, url: str, batch: list[Event]) -> bool:
        try:
            answer = client.post(f"{url}/v1/batch", json={"batch": batch})
        except httpx.HTTPError as error:
            self._note(type(error).__name__)
            return False
        self._note(f"{answer.status_code}")
        if answer.status_code != 200:
            if answer.status_code not in AGAIN or "retry-after" not in answer.headers:
                self.wrong.append(f"answered {answer.status_code}: {answer.text[:300]}")
            return False
        if answer.json() != {"success": True}:
            self.wrong.append(f"not all of a batch was taken: {answer.text[:300]}")
        with self._changed:
            self.accepted.update(event["properties"]["n"] for event in batch if "properties" in event)
        return True

    def _note(self, answer: str) -> None:
        with self._changed:
            self.answers[answer] += 1


def introduce(url: str, contacts: int) -> None:
    """Tell who there is, ``c0`` and so on, and where mail reaches them."""
    people = [f"c{number}" for number in range(contacts)]
    batch = [{"type": "identify", "userId": key, "traits": {"email": f"{key}@example.com"}} for key in people]
    with httpx.Client(auth=(WRITE_KEY, ""), timeout=60) as client:
        for first in range(0, contacts, INTRODUCED_AT_ONCE):
            some = {"batch": batch[first : first + INTRODUCED_AT_ONCE]}
            client.post(f"{url}/v1/batch", json=some).raise_for_status()
