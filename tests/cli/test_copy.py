"""``migrate --copy-to``: an installation moves to another database, and goes on there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests import postgres
from tests.cli.calls import call, data, done, enrolled, running, serving

from journeyflow.db.lock import EngineLock


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with postgres.database() as url:
        postgres.disconnect(url)
        yield url


def test_an_installation_goes_on_on_postgresql(flows: Path, workplace: Path, elsewhere: str) -> None:
    with serving("--flows", flows) as server:
        write_key, admin_key = server.told("write key: "), server.told("admin key: ")
        server.send("/v1/track", write_key, userId="ann", event="Signed Up", messageId="1")
        assert server.send("/v1/contacts/ann/tags", admin_key, add=["seen"]).status_code == 200
        assert server.stop() == 0

    told = done("migrate", "--copy-to", elsewhere)

    lines = [line.split() for line in told.splitlines()]
    assert lines[0] == ["TABLE", "ROWS", "THERE", "ROWS", "HERE", "CHECKSUM"]
    assert ["contacts", "1", "1"] in [line[:3] for line in lines]
    assert ["runs", "1", "1"] in [line[:3] for line in lines]
    assert "what was read is what was written, in every table" in told
    with serving("--database-url", elsewhere) as there, running("worker", "--database-url", elsewhere):
        there.send("/v1/track", write_key, userId="ann", event="Signed Up", messageId="1")  # counts once
        there.send("/v1/track", write_key, userId="bob", event="Signed Up")
        for key in ("ann", "bob"):
            assert there.send(f"/v1/contacts/{key}/tags", admin_key, add=["moved"]).status_code == 200
        stats = data("journeys", "stats", "welcome", "--json", "--server", there.address, "--key", admin_key)
        assert there.stop() == 0
    assert stats["entered"] == 2


def test_a_database_that_holds_something_is_refused(flows: Path, elsewhere: str) -> None:
    done("apply", flows)
    done("apply", flows, "--database-url", elsewhere)

    result = call("migrate", "--copy-to", elsewhere)

    assert result.exit_code == 1
    assert result.stderr.startswith("error: the database to copy to holds something already")
    assert result.stdout == ""


def test_nothing_is_copied_under_a_running_engine(flows: Path, workplace: Path) -> None:
    done("apply", flows)
    lock = EngineLock(workplace / "journeyflow.db")
    lock.take(datetime(2026, 3, 2, tzinfo=UTC))

    result = call("migrate", "--copy-to", "other.db")
    lock.release()

    assert result.exit_code == 3
    assert result.stderr.strip().endswith("since 2026-03-02T00:00:00+00:00; stop it, then copy")
    assert not (workplace / "other.db").exists()


def test_a_database_is_not_copied_to_itself(flows: Path) -> None:
    done("apply", flows)

    result = call("migrate", "--copy-to", "sqlite:///journeyflow.db")

    assert result.exit_code == 1
    assert "is the database itself" in result.stderr


def test_there_has_to_be_something_to_copy(workplace: Path) -> None:
    result = call("migrate", "--copy-to", "other.db")

    assert result.exit_code == 1
    assert result.stderr == "error: there is no database journeyflow.db to copy\n"
    assert list(workplace.iterdir()) == []


def test_statements_to_print_and_a_copy_to_make_are_two_things() -> None:
    assert call("migrate", "--sql", "--copy-to", "other.db").exit_code == 2
    assert call("migrate", "--distribute", "--copy-to", "other.db").exit_code == 2


def test_a_server_that_is_away_is_named_without_its_password(flows: Path) -> None:
    done("apply", flows)
    enrolled("ann")

    result = call("migrate", "--copy-to", "postgresql://shop:secret@127.0.0.1:1/shop")

    assert result.exit_code == 3
    assert "can't be reached" in result.stderr
    assert "secret" not in result.stderr
