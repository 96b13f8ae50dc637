"""``journeyflow coupons``: put codes into a pool, and show how many are left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.client import Answer, path_part, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Server

if TYPE_CHECKING:
    from journeyflow.services.code_files import CodeFile

app = typer.Typer(no_args_is_help=True)

Pool = Annotated[str, typer.Argument(metavar="POOL", help="The pool's id.", show_default=False)]
File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, plain or gzip.", show_default=False)]
LAST = 20


@app.command("import")
def import_codes(
    pool: Pool, file: File, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Put the codes of a CSV into a pool with `codes: uploaded`: all that can be taken, together.

    A column `code` of a header, else the first column. What can't be taken, or is there already, is written to
    FILE.rejected.
    """
    from journeyflow.services.code_files import read_codes
    from journeyflow.services.imports import write_rejected

    found = read_codes(file)
    with reach(server, key, database_url) as client:
        answer = client.post(f"/v1/coupons/{path_part(pool)}", {"codes": [line.code for line in found.lines]})
    _add_rejected(found, answer)
    target = write_rejected(found)
    others = len(found.rejected) + answer["rejected"] - len(answer["rejected_lines"]) - answer["duplicates"]
    said = [f"{console.counted(answer['imported'], 'code')} imported"]
    if answer["duplicates"]:
        said.append(console.counted(answer["duplicates"], "duplicate"))
    if others:
        said.append(f"{console.counted(others, 'other line' if answer['duplicates'] else 'line')} rejected")
    console.say(f"{', '.join(said)}; {answer['left']:,} left in the pool")
    if target is not None:
        console.complain(_told(found, target))
        raise typer.Exit(1)


def _add_rejected(found: CodeFile, answer: Answer) -> None:
    """What the API did not take, by its line in the file."""
    from journeyflow.services.imports import Rejected

    for one in answer["rejected_lines"]:
        line = found.lines[one["line"] - 1]
        detail = str(one["detail"])
        if detail.startswith("comes twice"):
            first = next(other for other in found.lines if other.code == line.code)
            detail = f"comes twice: it is in line {first.number} too"
        found.rejected.append(Rejected(line.number, line.written, detail))
    found.rejected.sort(key=lambda one: one.number)


def _told(found: CodeFile, target: Path) -> str:
    first = [f"{found.path}:{one.number}: {one.reason}" for one in found.rejected[:LAST]]
    more = [f"and {len(found.rejected) - LAST:,} more"] if len(found.rejected) > LAST else []
    return "\n".join([f"what was not imported is in {target}, with the reasons", *first, *more])


@app.command("show")
def show(
    pool: Pool,
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show how many codes of a pool are given, redeemed and left."""
    with reach(server, key, database_url) as client:
        found = client.get(f"/v1/coupons/{path_part(pool)}", limit=1)
    counts = {name: found[name] for name in ("pool", "codes", "given", "redeemed", "left")}
    if as_json:
        console.give(counts)
        return
    left = "as many as are wanted" if counts["left"] is None else f"{counts['left']:,}"
    console.say(f"{pool} ({counts['codes']}): {counts['given']:,} given, {counts['redeemed']:,} redeemed, left: {left}")
