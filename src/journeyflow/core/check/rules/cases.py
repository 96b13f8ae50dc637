"""Cases that come too late in their list (JF104): the first that holds is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journeyflow.core.check.finding import Finding
from journeyflow.core.check.rules.logic import Reasoner
from journeyflow.core.check.subject import Subject
from journeyflow.core.nodes.branch import BranchCase, BranchNode
from journeyflow.core.nodes.wait_for import WaitCase, WaitForNode

Case = BranchCase | WaitCase


def hidden_cases(subject: Subject) -> Iterator[Finding]:
    """JF104."""
    reasoner = Reasoner()
    for name, node in subject.journey.nodes.items():
        if isinstance(node, BranchNode | WaitForNode):
            cases: Sequence[Case] = node.cases
            for place, case in enumerate(cases):
                reason = _reason(case, cases[:place], reasoner)
                if reason is not None:
                    yield subject.finding("JF104", f"nodes.{name}.cases[{place}]", reason, case.next or "end")


def _reason(case: Case, earlier: Sequence[Case], reasoner: Reasoner) -> str | None:
    condition = case.where if case.when is None and isinstance(case, WaitCase) else case.when
    if condition is not None and reasoner.constant(condition) is False:
        return "its condition never holds"
    for place, other in enumerate(earlier):
        if _covers(other, case, reasoner):
            return f"cases[{place}] comes first, and holds whenever this one does"
    return None


def _covers(first: Case, second: Case, reasoner: Reasoner) -> bool:
    if first.when is not None:
        if second.when is None:
            return reasoner.constant(first.when) is True
        return reasoner.follows(second.when, first.when)
    if not isinstance(second, WaitCase) or first.event != second.event:
        return False
    return first.where is None or (second.where is not None and reasoner.follows(second.where, first.where))
