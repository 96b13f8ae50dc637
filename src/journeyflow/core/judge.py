"""Judging where a contact stands, and noticing when that changes (rules 2.7 and 3.7)."""

from __future__ import annotations

from datetime import datetime

from journeyflow.core.contact import Contact, Membership, StageReached
from journeyflow.core.standing import EVERYTHING, Definition, Standing
from journeyflow.core.values import JSON
from journeyflow.core.view import View

Change = tuple[str, dict[str, JSON]]
"""The name and the properties of an event of the engine's own."""


class Judge:
    """Judges one contact within one decision.

    ``changes`` collects what has changed since it was judged last; only definitions that this can concern are asked.
    """

    __slots__ = ("_due", "_standing", "_view", "changes", "contact")

    def __init__(self, contact: Contact, view: View, standing: Standing) -> None:
        self.contact = contact
        self._view = view
        self._standing = standing
        self.changes: set[str] = set()
        self._due: datetime | None = None

    # --- when ---------------------------------------------------------------------------------------------------------

    def next(self) -> datetime | None:
        """When time alone can next change where the contact stands."""
        stage = self.contact.stage
        earliest = None if stage is None or not self._standing.stages else stage.check_at
        for membership in self.contact.segments.values():
            check_at = membership.check_at
            if check_at is not None and (earliest is None or check_at < earliest):
                earliest = check_at
        return earliest

    def pass_time(self, due: datetime) -> None:
        """What can have changed by an instant is asked at the next comparison."""
        self._due = due

    # --- judging ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The contact comes into being, and was nowhere before."""
        contact, standing = self.contact, self._standing
        contact.segments = {one.key: Membership(False, None) for one in standing.segments}
        contact.stage = StageReached(standing.stages_key, None, None) if standing.stages else None
        self.changes.add(EVERYTHING)

    def settle(self) -> None:
        """Judge silently by what is new or was edited, and forget what is there no longer."""
        contact, standing = self.contact, self._standing
        known = contact.segments
        if len(known) != len(standing.segments) or any(one.key not in known for one in standing.segments):
            seen = self._plain()
            contact.segments = {
                one.key: known[one.key] if one.key in known else _membership(one, seen) for one in standing.segments
            }
        if not standing.stages:
            contact.stage = None
        elif contact.stage is None or contact.stage.key != standing.stages_key:
            contact.stage = self._stage(self._plain())

    def compare(self) -> list[Change]:
        """What has changed since the last comparison: the stage, then segments by id."""
        changes, due = self.changes, self._due
        if not changes and due is None:
            return []
        self.changes, self._due = set(), None
        seen = self._plain()
        found: list[Change] = []
        if self._standing.stages:
            found.extend(self._compare_stage(seen, changes, due))
        for one in self._standing.segments:
            before = self.contact.segments[one.key]
            if _concerns(one.asked_on, changes) or _is_due(before.check_at, due):
                after = self.contact.segments[one.key] = _membership(one, seen)
                if after.inside != before.inside:
                    name = "Segment Entered" if after.inside else "Segment Left"
                    found.append((name, {"segment": one.id}))
        return found

    def _compare_stage(self, seen: View, changes: set[str], due: datetime | None) -> list[Change]:
        before = self.contact.stage
        assert before is not None, "settle and begin give every contact a stage where there are stages"
        if not (
            "stage" in changes
            or _concerns(self._standing.stages_asked_on, changes)
            or _is_due(before.check_at, due)
        ):  # fmt: skip
            return []
        after = self.contact.stage = self._stage(seen)
        if after.stage == before.stage:
            return []
        changes.add("attribute:stage")
        return [("Stage Changed", {"from": before.stage, "to": after.stage})]

    def _stage(self, seen: View) -> StageReached:
        return StageReached(self._standing.stages_key, seen.stage(), seen.stage_change())

    def _plain(self) -> View:
        """A definition means the same wherever it is asked: no run, no event, no journey's time zone."""
        return self._view.of(None, None, None)


def _membership(one: Definition, seen: View) -> Membership:
    return Membership(one.when.holds(seen), one.when.next_change(seen))


def _concerns(asked_on: frozenset[str] | None, changes: set[str]) -> bool:
    return bool(changes) and (asked_on is None or not asked_on.isdisjoint(changes))


def _is_due(check_at: datetime | None, due: datetime | None) -> bool:
    return check_at is not None and due is not None and check_at <= due
