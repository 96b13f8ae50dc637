"""The pytest plugin for teams that test their journeys: the fixture ``journey``, and what it is made of.

::

    def test_buyer_gets_no_reminder(journey):
        run = journey("flows/", only="abandoned-cart", at="2026-03-02T10:00Z")
        run.contact("ann", email="ann@example.com")
        run.track("ann", "Checkout Started", checkout_id="c1", value=50)
        run.advance("30m")
        run.track("ann", "Order Completed", checkout_id="c1", total=50)
        run.advance("10d")
        assert run.messages("ann") == []
        assert run.exits("ann") == ["exit_on"]

pytest loads this module in every run on a machine that has journeyflow, so the engine is imported only when a test asks
for it. It can be had without pytest too: then it is :class:`JourneyTest` alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journeyflow.services.rehearsal import JourneyTest as JourneyTest
    from journeyflow.services.rehearsal import SeenMessage as SeenMessage

_REHEARSAL = "journeyflow.services.rehearsal"
__all__ = ["JourneyTest", "SeenMessage", "journey"]


def __getattr__(name: str) -> object:
    """``from journeyflow.testing import JourneyTest``."""
    if name in ("JourneyTest", "SeenMessage"):
        return getattr(import_module(_REHEARSAL), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _is_of_documents(error: BaseException) -> bool:
    problem = sys.modules.get("journeyflow.core.check.problem")  # where it is not loaded, it can't have been raised
    return problem is not None and isinstance(error, problem.InvalidDocuments)


try:
    import pytest
except ImportError:
    pass
else:

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """What is wrong in a folder of journeys is told as ``journeyflow check`` tells it, not as a traceback."""
        report = yield
        if call.excinfo is not None and report.failed and _is_of_documents(call.excinfo.value):
            report.longrepr = str(call.excinfo.value)
        return report

    @pytest.fixture
    def journey(request: pytest.FixtureRequest) -> Callable[..., JourneyTest]:
        """Begins a test of a folder's journeys; takes what :class:`JourneyTest` takes.

        A folder that is not in the working directory is looked for where pytest has its root.
        """

        # Any keyword that JourneyTest takes; it checks them
        def begin(flows: str | Path, **given: object) -> JourneyTest:
            __tracebackhide__ = True
            folder = Path(flows)
            if not folder.exists() and (request.config.rootpath / folder).exists():
                folder = request.config.rootpath / folder
            made: JourneyTest = import_module(_REHEARSAL).JourneyTest(folder, **given)
            return made

        return begin
