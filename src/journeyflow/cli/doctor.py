"""``journeyflow doctor``: settings with their origin, and what is wrong."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

import typer

from journeyflow.cli import console
from journeyflow.cli.configuration import PREFIX, from_environment, load_settings
from journeyflow.cli.options import DatabaseUrl
from journeyflow.core.errors import JourneyflowError

if TYPE_CHECKING:
    from journeyflow.services.doctor import Finding
    from journeyflow.settings import Settings

MASK: Final = "********"
TOML: Final = "journeyflow.toml"
OF_THE_COMMAND_LINE: Final = {"URL": False, "KEY": True, "DEBUG": False}
"""Options of commands that the environment may give, and only the environment; whether each is a secret."""
_COLOURS: Final = {"ok": "green", "hint": "yellow", "wrong": "red"}


def doctor(database_url: DatabaseUrl = None) -> None:
    """Check settings, database, mail server and clock; exit code 1 when something is wrong."""
    settings = load_settings(database_url=database_url)
    console.tabulate(("setting", "value", "origin"), setting_rows(settings, database_url is not None))
    console.say()
    findings = [*_unknown_settings(), *_guessable_keys(settings), *_look(settings)]
    for one in findings:
        first, *rest = one.text.splitlines()
        console.say(f"{one.verdict:5}  {one.what}: {first}", _COLOURS[one.verdict])
        for line in rest:
            console.say(f"         {line}")
    if any(one.verdict == "wrong" for one in findings):
        raise typer.Exit(1)


# --- settings --------------------------------------------------------------------------------------------------------


def setting_rows(settings: Settings, database_given: bool) -> list[tuple[str, str, str]]:
    """Name, value and origin of each setting; secrets are masked."""
    filed = _filed()
    rows = []
    for name in type(settings).model_fields:
        origin = "--database-url" if name == "database_url" and database_given else _origin(name, filed)
        rows.append((f"{PREFIX}{name.upper()}", shown(getattr(settings, name)), origin))
    for name, secret in OF_THE_COMMAND_LINE.items():
        value = os.environ.get(f"{PREFIX}{name}")
        told = MASK if value and secret else shown(value)
        rows.append((f"{PREFIX}{name}", told, "default" if value is None else "environment"))
    return rows


def _origin(name: str, filed: dict[str, object]) -> str:
    if from_environment(name) is not None:
        return "environment"
    return TOML if name in filed else "default"


def _filed() -> dict[str, object]:
    path = Path(TOML)
    return tomllib.loads(path.read_text()) if path.is_file() else {}


def shown(value: object) -> str:
    """A setting as it may be seen: a secret is only said to be there, of an address the password is left out."""
    from pydantic import SecretStr

    if value is None:
        return ""
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return _without_password(secret) if "://" in secret else MASK
    return _without_password(value) if isinstance(value, str) and "://" in value else str(value)


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        # A password that is not encoded as it should be may stand anywhere.
        return url if "@" not in url else MASK
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{MASK}@{host}"))


def _unknown_settings() -> list[Finding]:
    from journeyflow.services.doctor import Finding
    from journeyflow.settings import Settings

    known = {name.upper() for name in Settings.model_fields}
    named = [(variable, variable.upper().removeprefix(PREFIX)) for variable in os.environ if _is_ours(variable)]
    named = [(variable, name) for variable, name in named if name not in OF_THE_COMMAND_LINE]
    named += [(f"{TOML}: {name}", name.upper()) for name in _filed()]
    found = []
    for written, name in named:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; is {PREFIX if PREFIX in written else ''}{near[0]} meant?" if near else ""
            found.append(Finding("wrong", "settings", f"{written} is none{hint}"))
    return found


def _guessable_keys(settings: Settings) -> list[Finding]:
    from journeyflow.services.doctor import Finding

    return [Finding("hint", "keys", told) for told in settings.guessable_keys()]


def _is_ours(variable: str) -> bool:
    name = variable.upper()
    return name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_")


# --- the rest --------------------------------------------------------------------------------------------------------


def _look(settings: Settings) -> list[Finding]:
    from journeyflow.clock import now
    from journeyflow.db.sqlite import path_of
    from journeyflow.db.store import postgresql_url
    from journeyflow.services import doctor as checks

    try:
        path = None if postgresql_url(settings.database_url) else path_of(settings.database_url)
        found = checks.check_database(settings.database_url, path, now(), settings.base_url)
    except JourneyflowError as error:
        path, found = None, [checks.Finding("wrong", "database", str(error))]
    directory = Path.cwd() if path is None or not path.parent.is_dir() else path.parent
    found.append(checks.check_clock(directory, now()))
    found.extend(_look_at_channels(settings))
    if not any(one.what == "links" for one in found):
        found.append(checks.check_links(settings.links))
    return found


def _look_at_channels(settings: Settings) -> Iterator[Finding]:
    import asyncio

    from journeyflow.channels.factory import open_channel, open_short_channel
    from journeyflow.services import doctor as checks

    for what, name in (("e-mail", "email_url"), ("SMS", "sms_url"), ("push", "push_url")):
        url = getattr(settings, name).get_secret_value()
        try:
            channel = open_channel(url) if name == "email_url" else open_short_channel(url)
            yield asyncio.run(checks.check_channel(what, channel))
        except JourneyflowError as error:
            yield checks.Finding("wrong", what, f"{PREFIX}{name.upper()}: {error}")
