"""A made shop's year of orders, where no real one is at hand: the same file on every machine.

Its shape is that of a real shop's data: most contacts order once or twice, a few very often, some orders are cancelled,
more come in autumn, several events of one contact can fall on one minute.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import orjson

EVENTS: Final = 22_190
CONTACTS: Final = 4_372
BEGIN: Final = datetime(2025, 12, 1, 8, tzinfo=UTC)
DAYS: Final = 374
ITEMS_MAX: Final = 3
COUNTRIES: Final = ("United Kingdom",) * 9 + ("Germany", "France", "Poland", "Spain")
MATERIALS: Final = ("GLASS", "WOODEN", "KNITTED", "RED", "WHITE METAL", "VINTAGE", "CERAMIC", "PAPER")
THINGS: Final = ("LANTERN", "HAND WARMER", "JAM JAR SET", "BUILDING BLOCK", "COAT RACK", "TEA TOWEL", "CANDLE HOLDER")


def make(folder: Path) -> tuple[Path, Path]:
    """Write events (JSON Lines, gzip, in order of time) and contacts (CSV); their paths."""
    events, contacts = folder / "made.events.jsonl.gz", folder / "made.contacts.csv"
    lines = [orjson.dumps(event) + b"\n" for event in _events(Random(1))]
    with open(events, "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
        packed.writelines(lines)
    with open(contacts, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["contact", "email", "country"])
        writer.writerows(_contacts())
    return events, contacts


def _contacts() -> Iterator[tuple[str, str, str]]:
    for number in range(CONTACTS):
        key = _key(number)
        yield key, f"{key}@example.com", COUNTRIES[number % len(COUNTRIES)]


def _key(number: int) -> str:
    return f"made{10_000 + number}"


def _events(draws: Random) -> Iterator[dict[str, object]]:
    moments = sorted(_moment(draws) for _ in range(EVENTS))
    for number, (moment, who) in enumerate(zip(moments, _owners(draws), strict=True)):
        yield {
            "contact": _key(who),
            "event": "Order Cancelled" if draws.random() < 1 / 6 else "Order Completed",
            "occurred_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "properties": _order(number, draws),
        }


def _owners(draws: Random) -> list[int]:
    """Everybody once, and then some often and many no more."""
    owners = [*range(CONTACTS), *(int(CONTACTS * draws.random() ** 2) for _ in range(EVENTS - CONTACTS))]
    return sorted(owners, key=lambda _: draws.random())


def _moment(draws: Random) -> datetime:
    day = int(DAYS * draws.random() ** 0.8)  # more towards the end of the year
    return BEGIN + timedelta(days=day, minutes=int(draws.random() * 600))


def _order(number: int, draws: Random) -> dict[str, object]:
    lines = 1 + int(draws.random() ** 2 * 40)
    units = lines * (1 + int(draws.random() * 12))
    items = [
        {
            "sku": f"{20_000 + int(draws.random() * 5_000)}",
            "name": f"{MATERIALS[int(draws.random() * len(MATERIALS))]} {THINGS[int(draws.random() * len(THINGS))]}",
        }
        for _ in range(min(lines, ITEMS_MAX))
    ]
    return {
        "order_id": str(536_365 + number),
        "currency": "GBP",
        "total": round(units * (0.5 + draws.random() * 3), 2),
        "lines": lines,
        "units": units,
        "items": items,
    }
