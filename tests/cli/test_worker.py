"""``worker``: engines beside an API on one PostgreSQL, or the one engine of a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import httpx
import pytest
from tests import postgres
from tests.cli.calls import SECONDS_MAX, Serving, call, data, done, running, serving


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with postgres.database() as url:
        monkeypatch.setenv("JOURNEYFLOW_DATABASE_URL", url)
        yield url


@pytest.mark.usefixtures("database")
def test_workers_do_the_work_of_an_api_that_has_no_engine_and_end_in_order(flows: Path) -> None:
    with serving("--flows", flows, "--no-engine") as api, running("worker") as one, running("worker") as two:
        write_key, admin_key = api.told("write key: "), api.told("admin key: ")
        people = [f"contact-{number}" for number in range(40)]
        batch = [{"type": "track", "userId": key, "event": "Signed Up", "messageId": key} for key in people]
        assert api.send("/v1/batch", write_key, batch=batch).status_code == 200
        for key in people:  # answers when what came before has been handled
            assert api.send(f"/v1/contacts/{key}/tags", admin_key, add=["seen"]).status_code == 200
        stats = done("journeys", "stats", "welcome", "--json", "--server", api.address, "--key", admin_key)

        assert '"entered":40' in stats.replace(" ", "")
        assert [worker.stop() for worker in (one, two)] == [0, 0]
        assert api.stop() == 0


@pytest.mark.usefixtures("database")
def test_serve_on_postgresql_is_api_and_engine_and_others_may_be_engines_beside_it(flows: Path) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(serving("--flows", flows))
        admin_key, write_key = first.told("admin key: "), first.told("write key: ")
        second = stack.enter_context(serving())
        assert second.send("/v1/track", write_key, userId="ann", event="Signed Up").status_code == 200
        assert second.send("/v1/contacts/ann/tags", admin_key, add=["seen"]).status_code == 200
        assert (first.stop(), second.stop()) == (0, 0)

    assert data("contacts", "show", "ann", "--json")["tags"] == ["seen"]


def test_on_sqlite_a_worker_says_that_its_database_is_a_new_one(workplace: Path) -> None:
    for told in (True, False):
        with running("worker", "--metrics-port", "0", "--database-url", "misspelled.db") as worker:
            address = worker.told("metrics: ").removesuffix("/metrics")
            with httpx.Client(transport=httpx.HTTPTransport(retries=6)) as client:  # it answers once it is up
                assert client.get(f"{address}/healthz").status_code == 200
            assert worker.stop() == 0
            assert ("misspelled.db; a new one was made" in worker.errors()) is told
    assert (workplace / "misspelled.db").exists()


def test_on_sqlite_a_second_engine_is_refused_and_told_of_the_first(flows: Path) -> None:
    with serving("--flows", flows) as first:
        assert first.address

        result = call("worker")

        assert result.exit_code == 3
        assert f"process {first.process.pid} on " in result.stderr


@pytest.mark.usefixtures("database")
def test_a_worker_tells_its_metrics_where_it_is_told_to(flows: Path) -> None:
    with serving("--flows", flows, "--no-engine") as api, running("worker", "--metrics-port", 0) as worker:
        address = worker.told("metrics: ").removesuffix("/metrics")
        write_key, admin_key = api.told("write key: "), api.told("admin key: ")
        assert api.send("/v1/track", write_key, userId="ann", event="Signed Up").status_code == 200
        assert api.send("/v1/contacts/ann/tags", admin_key, add=["seen"]).status_code == 200
        metrics = httpx.get(f"{address}/metrics").text

        assert httpx.get(f"{address}/healthz").json() == {"status": "alive"}
        assert httpx.get(f"{address}/readyz").json() == {"ready": True, "reasons": []}
        assert "journeyflow_turn_inputs_total 2.0" in metrics
        assert 'journeyflow_dead_rows{table="inbox"}' in metrics
        assert (worker.stop(), api.stop()) == (0, 0)


@contextmanager
def signing_up(api: Serving, write_key: str, admin_key: str) -> Iterator[None]:
    """One contact after the other signs up, until it is enough."""
    enough = Flag()

    def go_on() -> None:
        for number in count():
            if enough.is_set():
                return
            key = f"c{number}"
            api.send("/v1/identify", write_key, userId=key, traits={"email": f"{key}@example.com"})
            api.send("/v1/track", write_key, userId=key, event="Signed Up")
            api.send(f"/v1/contacts/{key}/tags", admin_key, add=["seen"])  # answers when its turn has come

    thread = Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


@pytest.mark.usefixtures("database")
def test_what_a_worker_decides_and_delivers_is_heard_on_the_stream_of_another_process(flows: Path) -> None:
    heard: set[str] = set()
    with serving("--flows", flows, "--no-engine") as api, running("worker") as worker:
        write_key, admin_key = api.told("write key: "), api.told("admin key: ")
        with (
            httpx.stream("GET", f"{api.address}/v1/stream", auth=(admin_key, ""), timeout=SECONDS_MAX) as stream,
            signing_up(api, write_key, admin_key),
        ):
            for line in stream.iter_lines():
                heard.add(line)
                if {"event: entered", "event: message", "event: delivery"} <= heard:
                    break
        assert (worker.stop(), api.stop()) == (0, 0)


def test_a_role_that_is_none_is_wrong_usage() -> None:
    result = call("worker", "--roles", "turns,dance")

    assert result.exit_code == 2
    assert "dance" in result.stderr


def test_a_server_that_is_away_is_a_failure_of_the_system() -> None:
    result = call("worker", "--database-url", "postgresql://ann:secret@127.0.0.1:1/shop")

    assert result.exit_code == 3
    assert "can't be reached" in result.stderr
    assert "secret" not in result.stderr
