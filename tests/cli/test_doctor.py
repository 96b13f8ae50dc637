"""``doctor``: settings with their origin, and what is wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests import postgres
from tests.cli.calls import call, done

from journeyflow.bootstrap import open_installation
from journeyflow.cli.doctor import shown
from journeyflow.core.inputs import Identify
from journeyflow.db import claims, inbox
from journeyflow.db.store import open_engine, write
from journeyflow.services.doctor import check_clock, check_links
from journeyflow.settings import Settings


def settings(told: str) -> dict[str, list[str]]:
    lines = [line.split() for line in told.splitlines() if line.startswith("JOURNEYFLOW_")]
    return {line[0]: line[1:] for line in lines}


@pytest.fixture
def applied_by_a_newer_version(flows: Path, workplace: Path) -> Path:
    done("apply", flows, "--database-url", "newer.db")
    with closing(sqlite3.connect(workplace / "newer.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '2099_01_01_0000'")
    return workplace / "newer.db"


def test_each_setting_is_told_with_its_origin(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYFLOW_PORT", "8080")
    (workplace / "journeyflow.toml").write_text('host = "0.0.0.0"\nport = 1\n')

    found = settings(done("doctor", "--database-url", "shop.db"))

    assert found["JOURNEYFLOW_PORT"] == ["8080", "environment"]
    assert found["JOURNEYFLOW_HOST"] == ["0.0.0.0", "journeyflow.toml"]
    assert found["JOURNEYFLOW_DATABASE_URL"] == ["shop.db", "--database-url"]
    assert found["JOURNEYFLOW_EMAIL_URL"] == ["mailbox://", "default"]


def test_what_commands_take_from_the_environment_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = settings(done("doctor"))
    monkeypatch.setenv("JOURNEYFLOW_URL", "https://ann:hush@shop.example")
    monkeypatch.setenv("JOURNEYFLOW_KEY", "a-very-secret-key")
    told = settings(done("doctor"))

    assert (unset["JOURNEYFLOW_URL"], unset["JOURNEYFLOW_KEY"]) == (["default"], ["default"])
    assert told["JOURNEYFLOW_URL"] == ["https://ann:********@shop.example", "environment"]
    assert told["JOURNEYFLOW_KEY"] == ["********", "environment"]


def test_what_only_the_environment_may_give_is_no_setting_of_the_file(workplace: Path) -> None:
    (workplace / "journeyflow.toml").write_text('url = "https://shop.example"\n')

    result = call("doctor")

    assert (result.exit_code, "journeyflow.toml: url is none" in result.stdout) == (1, True)


def test_a_key_that_can_be_guessed_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYFLOW_ADMIN_KEY", "x" * 15)
    monkeypatch.setenv("JOURNEYFLOW_WRITE_KEY", "x" * 16)

    told = done("doctor")

    assert "hint   keys: JOURNEYFLOW_ADMIN_KEY has fewer than 16 characters and can be guessed\n" in told
    assert "JOURNEYFLOW_WRITE_KEY has" not in told


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYFLOW_ADMIN_KEY", "a-very-secret-admin-key")
    monkeypatch.setenv("JOURNEYFLOW_EMAIL_URL", "smtp://ann:hush@127.0.0.1:1?tls=none")

    told = call("doctor").stdout

    assert "a-very-secret-admin-key" not in told
    assert "hush" not in told
    assert settings(told)["JOURNEYFLOW_EMAIL_URL"][0] == "smtp://ann:********@127.0.0.1:1?tls=none"


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (None, ""),
        (8000, "8000"),
        ("journeyflow.db", "journeyflow.db"),
        ("postgresql://ann:pa@ss@host/db", "postgresql://ann:********@host/db"),
        ("smtp://host?x=a@b", "********"),
    ],
)
def test_of_an_address_the_password_is_left_out(value: object, seen: str) -> None:
    assert shown(value) == seen


def test_a_pool_without_codes_is_told(flows: Path) -> None:
    (flows / "spring.yaml").write_text("coupon_pool: spring\ncodes: uploaded\n")
    done("apply", flows)

    assert "hint   coupons: coupon pool spring has no codes: whoever comes to it gets none;" in done("doctor")


def test_a_running_installation_is_well(flows: Path) -> None:
    done("apply", flows)

    told = done("doctor")

    verdicts = {
        line.split()[1]: line.split()[0] for line in told.splitlines() if line[:5].strip() in ("ok", "hint", "wrong")
    }
    assert verdicts == {
        "database:": "ok",
        "disk:": "ok",
        "engine:": "hint",
        "clock:": "ok",
        "e-mail:": "ok",
        "SMS:": "ok",
        "push:": "ok",
        "links:": "hint",
    }


def test_a_mail_server_that_is_not_there_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYFLOW_EMAIL_URL", "smtp://127.0.0.1:1?timeout=1")

    result = call("doctor")

    assert result.exit_code == 1
    assert "wrong  e-mail: " in result.stdout


def test_a_misspelled_setting_is_wrong(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYFLOW_PROT", "1")
    (workplace / "journeyflow.toml").write_text("hosst = 1\n")

    result = call("doctor")

    assert result.exit_code == 1
    assert "JOURNEYFLOW_PROT is none; is JOURNEYFLOW_PORT meant?" in result.stdout
    assert "journeyflow.toml: hosst is none; is HOST meant?" in result.stdout


def test_a_clock_that_was_set_back_is_wrong(flows: Path, workplace: Path) -> None:
    done("apply", flows)
    engine = open_engine(str(workplace / "journeyflow.db"))
    with write(engine) as connection:
        claims.advance_all(connection, datetime(2126, 1, 1, tzinfo=UTC))
    engine.dispose()

    result = call("doctor")

    assert result.exit_code == 1
    assert "wrong  clock: it was set back" in result.stdout
    assert "until 2126-01-01 00:00:00Z" in result.stdout


def test_work_that_nobody_comes_to_is_told(flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres.database() as url:
        monkeypatch.setenv("JOURNEYFLOW_DATABASE_URL", url)
        done("apply", flows)
        before = call("doctor")
        assert "engine" not in before.stdout, before.stderr
        assert before.exit_code == 0, before.stderr
        engine = open_engine(url)
        with write(engine) as connection:
            inbox.put(connection, [("ann", Identify(datetime.now(UTC) - timedelta(minutes=5), {}))])
        engine.dispose()

        told = call("doctor")

        assert "hint   engine: the oldest input has waited for 30" in told.stdout
        assert told.exit_code == 0


def test_a_file_that_is_no_database_is_wrong(workplace: Path) -> None:
    (workplace / "journeyflow.db").write_text("plain text, and long enough to be taken for one " * 100)

    result = call("doctor")

    assert result.exit_code == 1
    assert "is not a SQLite database" in result.stdout


def test_the_database_of_another_program_is_not_to_be_migrated(workplace: Path) -> None:
    with closing(sqlite3.connect(workplace / "theirs.db")) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")

    told = call("doctor", "--database-url", "theirs.db").stdout

    assert "wrong  database: another program made this database (it has a table customers)" in told
    assert "journeyflow migrate" not in told


def test_the_database_of_a_newer_version_is_not_to_be_migrated(applied_by_a_newer_version: Path) -> None:
    told = call("doctor", "--database-url", applied_by_a_newer_version).stdout

    assert "wrong  database: a newer journeyflow made this database (schema 2099_01_01_0000)" in told


def test_without_a_database_it_says_who_makes_one(workplace: Path) -> None:
    assert "there is no" in done("doctor")
    assert list(workplace.iterdir()) == []


def test_a_clock_apart_from_that_of_the_disk_is_wrong(workplace: Path) -> None:
    assert check_clock(workplace, datetime(2020, 1, 1, tzinfo=UTC)).verdict == "wrong"


@pytest.mark.parametrize(
    ("links", "verdict"),
    [
        ("https://shop.example", "ok"),
        ("http://shop.example", "hint"),
        ("http://localhost:8000", "hint"),
        ("http://192.168.0.7", "hint"),
        ("http://shop", "hint"),
        ("shop.example", "wrong"),
    ],
)
def test_links_have_to_be_reachable_from_outside(links: str, verdict: str) -> None:
    assert check_links(links).verdict == verdict


def test_links_are_those_of_the_server_on_the_database(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = open_installation(Settings(base_url="https://shop.example/"))
    serving.keep_links()
    serving.engine.dispose()

    passing = open_installation(Settings(port=8123))  # somebody who has a look, and no such setting
    passing.keep_links()
    passing.engine.dispose()

    assert "ok     links: begin with https://shop.example\n" in call("doctor").stdout
    monkeypatch.setenv("JOURNEYFLOW_BASE_URL", "https://other.example")
    told = call("doctor").stdout
    assert (told.count("links: "), "begin with https://other.example" in told) == (1, True)
