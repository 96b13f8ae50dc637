"""A journey in numbers: the object that ``simulate --json`` and ``/v1/journeys/{id}/stats`` give (interfaces.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from journeyflow.core.values import JSON


def overview(counts: Mapping[tuple[str, int, str, str], int], nodes: Iterable[str]) -> dict[str, JSON]:
    """Counters put together.

    :param counts: by the fields of :class:`journeyflow.core.effects.Statistic`.
    :param nodes: those of the newest version; all of them are in the answer.
    """
    plain = dict.fromkeys(("entered", "completed", "converted", "holdout", "holdout_converted"), 0)
    refused: dict[str, int] = {}
    exited: dict[str, int] = {}
    by_node = {name: {"visits": 0, "waiting": 0} for name in nodes}
    for (_, _, node, what), count in counts.items():
        kind, _, reason = what.partition(":")
        if node:
            by_node.setdefault(node, {"visits": 0, "waiting": 0})[kind] += count
        elif kind == "refused":
            refused[reason] = refused.get(reason, 0) + count
        elif kind == "exited":
            exited[reason] = exited.get(reason, 0) + count
        else:
            plain[kind] += count
    return {
        "entered": plain["entered"],
        "refused": {reason: refused[reason] for reason in sorted(refused)},
        "active": plain["entered"] - plain["completed"] - sum(exited.values()),
        "completed": plain["completed"],
        "exited": {reason: exited[reason] for reason in sorted(exited)},
        "converted": plain["converted"],
        "holdout": plain["holdout"],
        "holdout_converted": plain["holdout_converted"],
        "nodes": {name: {"visits": seen["visits"], "waiting": seen["waiting"]} for name, seen in by_node.items()},
    }
