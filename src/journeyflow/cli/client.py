"""The API as commands call it: over HTTP to a server, or the very same API in this process on the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

import typer

from journeyflow.cli import console
from journeyflow.cli.configuration import load_settings
from journeyflow.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, SystemFailure

if TYPE_CHECKING:
    import httpx

    from journeyflow.settings import Settings

ANSWER_SECONDS_MAX: Final = 60.0
ITEMS_PER_PAGE: Final = 200
HERE: Final = "http://journeyflow"
CHOICES: Final = """choose how they go on:
  --now      at once, late as they are
  --over 2h  spread evenly over a time
  --shift    every due time of the journey moves by the length of the pause
  --skip     at once, past the messages that are late"""

Absent = Literal["refused", "made", "empty"]
# Any: answers are JSON, and each command knows the shape of its own
Answer = Any


class Client:
    """Asks the API; what it refuses is raised as the error that it means."""

    def __init__(self, http: httpx.AsyncClient, runner: asyncio.Runner) -> None:
        self._http = http
        self._runner = runner

    def get(self, path: str, **query: object) -> Answer:
        """Read something; what is ``None`` is left out of the query."""
        return self._ask("GET", path, query)

    def post(self, path: str, data: object = None) -> Answer:
        """Change something."""
        return self._ask("POST", path, {}, json=data)

    def send(self, path: str, body: bytes, media_type: str) -> Answer:
        """Change something by data that is no JSON object."""
        return self._ask("POST", path, {}, content=body, headers={"Content-Type": media_type}, timeout=None)

    def delete(self, path: str) -> Answer:
        """Take something away."""
        return self._ask("DELETE", path, {})

    def items(self, path: str, per_page: int = ITEMS_PER_PAGE, **query: object) -> Iterator[Answer]:
        """Everything in a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=per_page, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _ask(self, method: str, path: str, query: Mapping[str, object], **request: Any) -> Answer:  # Any: as httpx
        import httpx

        given = {name: str(value) for name, value in query.items() if value is not None}
        try:
            response = self._runner.run(self._http.request(method, path, params=given, **request))
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise SystemFailure(f"{self._http.base_url} does not answer: {reason}") from error
        except httpx.InvalidURL as error:
            raise InvalidInput(f"{self._http.base_url} is no address: {error}") from error
        return _answer(response)


def path_part(text: str) -> str:
    """A contact's key, or an id, as one part of a path.

    :raises InvalidInput: when it is ``.`` or ``..``, which no URL can have there.
    """
    if text in (".", ".."):
        raise InvalidInput(f"{text!r} can't be asked for by name")
    return quote(text, safe="")


# --- answers ---------------------------------------------------------------------------------------------------------


def _answer(response: httpx.Response) -> Answer:
    import orjson

    try:
        data = orjson.loads(response.content) if response.content else None
    except orjson.JSONDecodeError:
        data = None
        if response.is_success:
            raise SystemFailure(f"{response.url} is not the API of journeyflow: it answered no JSON") from None
    if response.is_success:
        return data
    raise _error(response, data if isinstance(data, dict) else {})


_KINDS: Final[Mapping[int, type[Exception]]] = {401: NotAllowed, 403: NotAllowed, 404: NotFound}


def _error(response: httpx.Response, problem: Mapping[str, Any]) -> Exception:  # Any: problem+json
    """RFC 9457 as the error that it means: below 500 it is about what was given, from there on about the system."""
    if problem.get("overdue"):
        return Conflict(f"runs overdue by more than a day: {problem['overdue']:,}\n{CHOICES}")
    first = problem.get("detail") or problem.get("title") or f"{response.status_code} {response.reason_phrase}"
    parts = [told for one in problem.get("errors", ()) if (told := _part(one)) != first]
    kind = _KINDS.get(response.status_code, SystemFailure if response.is_server_error else InvalidInput)
    # One part, the detail has said already.
    return kind("\n".join([str(first), *(parts if len(parts) > 1 or problem.get("status") == 422 else [])]))


def _part(one: Mapping[str, Any]) -> str:  # Any: a part of problem+json
    place = " ".join(dict.fromkeys(str(one[name]) for name in ("document", "field") if one.get(name)))
    code = f"{one['code']} " if one.get("code") else ""
    value = f" (got {one['value']})" if one.get("value") else ""
    return f"{place}: {code}{one.get('detail')}{value}" if place else f"{code}{one.get('detail')}{value}"


# --- reaching it -----------------------------------------------------------------------------------------------------


@contextmanager
def reach(
    server: str | None,
    key: str | None,
    database_url: str | None,
    *,
    absent: Absent = "refused",
    decides: bool = False,
) -> Iterator[Client]:
    """The API: of ``server`` where one is given, else in this process.

    :param absent: a database that does not exist is an error, is made, or is taken for an empty one and left unmade.
    :param decides: what the command changes of contacts is to have happened when it returns: where no other process is
        the engine, this one is, for as long as the command takes.
    """
    if server is not None and database_url is not None:
        raise typer.BadParameter("--server (or JOURNEYFLOW_URL) and --database-url exclude each other")
    with ExitStack() as stack:
        if server is None:
            runner = stack.enter_context(asyncio.Runner())
            http = stack.enter_context(_in_process(load_settings(database_url=database_url), absent, decides))
        else:
            runner = stack.enter_context(asyncio.Runner())
            http = _remote(server, key)
        stack.callback(lambda: runner.run(http.aclose()))
        yield Client(http, runner)


def _remote(server: str, key: str | None) -> httpx.AsyncClient:
    import httpx

    if key is None:
        raise typer.BadParameter("expected --key (or JOURNEYFLOW_KEY) beside --server")
    if not server.startswith(("http://", "https://")):
        raise typer.BadParameter(f"expected --server as http://HOST:PORT or https://HOST, found {server!r}")
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=server, headers=headers, timeout=ANSWER_SECONDS_MAX)


@contextmanager
def _in_process(settings: Settings, absent: Absent, decides: bool) -> Iterator[httpx.AsyncClient]:
    import httpx

    from journeyflow.api.app import Parts, new_context
    from journeyflow.cli.engine import borrowed_engine, own_database_file
    from journeyflow.clock import now

    database = own_database_file(settings)
    missing = database is not None and not database.exists()
    imagined = absent == "empty" and missing
    if absent == "refused" and missing:
        hint = "journeyflow serve makes one; --database-url or --server name another"
        raise SystemFailure(f"there is no database {settings.database_url}; {hint}")
    if imagined:
        settings = settings.model_copy(update={"database_url": ":memory:"})
    with borrowed_engine(settings, database, now, decides=decides) as engine:
        if not imagined:
            with engine.installation.first_keys() as made:
                for scope, secret in made:
                    console.warn(f"{scope} key: {secret}")
        parts = Parts(new_context(engine.installation, engine.ingest, engine.wake, trusted=True))
        transport = httpx.ASGITransport(app=parts)
        yield httpx.AsyncClient(transport=transport, base_url=HERE, timeout=None)
