"""Cases that come too late in their list (JF104): the first that holds is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journeyflow.core.check.references import Finding
from journeyflow.core.check.rules.logic import always, follows, never
from journeyflow.core.check.subject import Subject
from journeyflow.core.conditions import Condition
from journeyflow.core.nodes.branch import BranchCase, BranchNode
from journeyflow.core.nodes.wait_for import WaitCase, WaitForNode


def hidden_cases(subject: Subject) -> Iterator[Finding]:
    """JF104."""
    for name, node in subject.journey.nodes.items():
        if isinstance(node, BranchNode | WaitForNode):
            cases: Sequence[BranchCase | WaitCase] = node.cases
            for place, case in enumerate(cases):
                reason = _reason(case, cases[:place])
                if reason is not None:
                    yield subject.finding("JF104", f"nodes.{name}.cases[{place}]", reason, case.next or "end")


def _reason(case: BranchCase | WaitCase, earlier: Sequence[BranchCase | WaitCase]) -> str | None:
    condition = case.where if case.when is None and isinstance(case, WaitCase) else case.when
    if condition is not None and never(condition):
        return "its condition never holds"
    for place, other in enumerate(earlier):
        if _covers(other, case):
            return f"cases[{place}] comes first, and holds whenever this one does"
    return None


def _covers(first: BranchCase | WaitCase, second: BranchCase | WaitCase) -> bool:
    if first.when is not None:
        return always(first.when) if second.when is None else follows(second.when, first.when)
    if isinstance(second, WaitCase) and first.event == second.event:
        return _where_follows(second.where, first.where)
    return False


def _where_follows(narrow: Condition | None, wide: Condition | None) -> bool:
    return wide is None or (narrow is not None and follows(narrow, wide))
