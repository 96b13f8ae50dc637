"""What an import could not take: written beside the file, and the first of it told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from journeyflow.cli import console

if TYPE_CHECKING:
    from journeyflow.services.imports import WithRejected

SHOWN: Final = 20


def complain(found: WithRejected, target: Path | None, remarks: Sequence[str] = ()) -> None:
    """Tell of the rejected lines, which are in ``target``; what else there is to say comes behind the error.

    :raises typer.Exit: with 1, where there are any.
    """
    if target is None:
        for remark in remarks:
            console.warn(remark)
        return
    first = [f"{found.path}:{one.number}: {one.reason}" for one in found.rejected[:SHOWN]]
    more = [f"and {len(found.rejected) - SHOWN:,} more"] if len(found.rejected) > SHOWN else []
    console.complain("\n".join([f"what was not imported is in {target}, with the reasons", *first, *more, *remarks]))
    raise typer.Exit(1)
