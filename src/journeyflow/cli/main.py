"""``journeyflow``: all commands, and how their errors are told."""

from __future__ import annotations

import sys
import traceback
import zoneinfo
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from journeyflow.cli import (
    backup,
    check,
    console,
    contacts,
    coupons,
    doctor,
    events,
    explain,
    journeys,
    keys,
    migrate,
    publish,
    runs,
    schema,
    segments,
    send_test,
    serve,
    simulate,
    worker,
)
from journeyflow.core.errors import JourneyflowError, Overloaded, SystemFailure, Unavailable, UnknownForm

FOUND_WRONG = 1
SYSTEM_FAILED = 3
_SYSTEM = (SystemFailure, UnknownForm, Overloaded, Unavailable)


class Guarded(TyperGroup):
    """Tells errors as interfaces.md says: on standard error, one line first; the exit code says whose fault it is."""

    def invoke(self, ctx: Any) -> Any:  # Any: Typer keeps the types of its Click to itself
        """Run the command."""
        try:
            return super().invoke(ctx)
        except JourneyflowError as error:
            console.complain(str(error) or type(error).__doc__ or type(error).__name__)
            code = SYSTEM_FAILED if isinstance(error, _SYSTEM) else FOUND_WRONG
            unexpected = None
        except typer.BadParameter as error:
            error.message = _plain(error)
            raise
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if hasattr(error, "exit_code"):  # wrong usage: Typer's own affair
                raise
            console.complain(f"{type(error).__name__}: {error}".partition("\n")[0])
            code, unexpected = SYSTEM_FAILED, error
        if ctx.params.get("debug") and unexpected is not None:
            traceback.print_exception(unexpected)
        elif unexpected is not None:
            console.warn("this is a fault of journeyflow; --debug (or JOURNEYFLOW_DEBUG=1) shows where")
        raise typer.Exit(code)


def _plain(error: typer.BadParameter) -> str:
    """What is wrong with the value of an option or argument; Typer has the words of Pydantic for it."""
    from pydantic import ValidationError

    from journeyflow.services.plain_words import plain_words

    cause = error.__cause__
    return plain_words(cause.errors()[0], None) if isinstance(cause, ValidationError) else error.message


app = typer.Typer(
    cls=Guarded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Customer journeys as plain files: an engine that simulates and explains what it does.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.say(f"journeyflow {version('journeyflow')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="JOURNEYFLOW_DEBUG", help="Show where an unexpected error came from.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Customer journeys as plain files."""
    from journeyflow.cli import logs

    logs.configure("text", "warning", tracebacks=debug)
    # The rules of time zones come with the tzdata package, the same on all machines, so that trails are the same too.
    zoneinfo.reset_tzpath(())


app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("migrate")(migrate.migrate)
app.command("check")(check.check)
app.command("plan")(publish.plan)
app.command("apply")(publish.apply)
app.command("simulate")(simulate.simulate)
app.command("explain")(explain.explain)
app.command("send-test")(send_test.send_test)
app.add_typer(contacts.app, name="contacts", help="Import and export contacts; show what is known of one; erase one.")
app.add_typer(events.app, name="events", help="Import events as history.")
app.add_typer(coupons.app, name="coupons", help="Put codes into coupon pools; show how many are left.")
app.add_typer(journeys.app, name="journeys", help="List, show, publish, pause, resume, migrate and archive journeys.")
app.add_typer(runs.app, name="runs", help="Show runs, end them, or move them to another node.")
app.add_typer(segments.app, name="segments", help="List segments, count and list the contacts in one.")
app.add_typer(keys.app, name="keys", help="Make, list and revoke API keys.")
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
