"""Judging where a contact stands, and noticing when that changes (rules 2.7 and 3.7)."""

from __future__ import annotations

from datetime import datetime

from journeyflow.core.contact import Contact, Membership, StageReached
from journeyflow.core.standing import EVERYTHING, Standing
from journeyflow.core.values import JSON
from journeyflow.core.view import View

Change = tuple[str, dict[str, JSON], bool]
"""The name and the properties of an event of the engine's own, and whether anybody listens to it."""


class Judge:
    """Judges one contact within one decision.

    ``changes`` collects what has changed since it was judged last, and ``due`` up to when time has passed; only
    definitions that this can concern are asked.

    :param view: the contact from nowhere, because a definition means the same wherever it is asked: no run, no event,
        no journey's time zone.
    """

    __slots__ = ("_standing", "_view", "changes", "contact", "due")

    def __init__(self, contact: Contact, view: View, standing: Standing) -> None:
        self.contact = contact
        self._view = view
        self._standing = standing
        self.changes: set[str] = set()
        self.due: datetime | None = None

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
        if known.keys() != standing.segment_keys:
            contact.segments = {
                one.key: known[one.key] if one.key in known else standing.judge(one, self._view)
                for one in standing.segments
            }
        if not standing.stages:
            contact.stage = None
        elif contact.stage is None or contact.stage.key != standing.stages_key:
            contact.stage = standing.stage(contact.stage_set, self._view)

    def compare(self) -> list[Change]:
        """What has changed since the last comparison: the stage, then segments by id."""
        changes, due = self.changes, self.due
        self.changes, self.due = set(), None
        standing, segments = self._standing, self.contact.segments
        if due is None and standing.rests_on.isdisjoint(changes):
            return []
        found: list[Change] = []
        if standing.stages:
            found.extend(self._compare_stage(changes, due))
        for one in standing.segments:
            before = segments[one.key]
            _, check_at, rests_on = before
            if rests_on is None:
                rests_on = one.question.rests_on
            if not rests_on.isdisjoint(changes) or _is_due(check_at, due):
                after = segments[one.key] = standing.judge(one, self._view)
                if after.inside != before.inside:
                    name = "Segment Entered" if after.inside else "Segment Left"
                    found.append((name, {"segment": one.id}, one.heard))
        return found

    def _compare_stage(self, changes: set[str], due: datetime | None) -> list[Change]:
        before = self.contact.stage
        assert before is not None, "settle and begin give every contact a stage where there are stages"
        rests_on = before.rests_on
        if rests_on is None:
            rests_on = self._standing.steps[-1].rests_on if self._standing.steps else frozenset()
        if "stage" not in changes and rests_on.isdisjoint(changes) and not _is_due(before.check_at, due):
            return []
        after = self.contact.stage = self._standing.stage(self.contact.stage_set, self._view)
        if after.stage == before.stage:
            return []
        changes.add("attribute:stage")
        return [("Stage Changed", {"from": before.stage, "to": after.stage}, self._standing.stages_heard)]


def _is_due(check_at: datetime | None, due: datetime | None) -> bool:
    return check_at is not None and due is not None and check_at <= due
