"""``serve``: starts, says where and with which keys, and ends in order; or at once, and nothing is lost."""

from __future__ import annotations

import signal
import socket
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import httpx
import orjson
import pytest
from pydantic import SecretStr
from tests.cli.calls import Serving, call, data, done, serving

from journeyflow.bootstrap import Installation, open_installation
from journeyflow.cli.serve import warn_of_links
from journeyflow.settings import Settings


def sign_up(server: Serving, contact: str) -> None:
    key = server.told("write key: ")
    assert server.send("/v1/track", key, userId=contact, event="Signed Up").status_code == 200


def wait_for_turn(server: Serving, contact: str) -> None:
    """A change of a contact answers when it, and all that came before it, has been handled."""
    key = server.told("admin key: ")
    answer = server.send(f"/v1/contacts/{contact}/tags", key, add=["seen"])
    assert answer.status_code == 200, answer.text


def test_it_says_where_it_listens_and_shows_new_keys_once(flows: Path) -> None:
    with serving("--flows", flows) as server:
        assert httpx.get(f"{server.address}/readyz").status_code == 200
        assert server.told("admin key: ").startswith("jf_admin_")
        assert server.told("write key: ").startswith("jf_write_")
        assert [line.partition(": ")[0] for line in server.said] == ["address", "admin key", "write key"]
        assert server.stop() == 0

    with serving() as server:
        assert server.address.startswith("http://127.0.0.1:")
        assert server.stop() == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
    assert f"only this machine or network reaches {server.address}; set JOURNEYFLOW_BASE_URL" in call("doctor").stdout


def shown_in_vain(installation: Installation) -> dict[str, str]:
    """The keys of a first start whose output goes nowhere."""
    shown: dict[str, str] = {}
    with suppress(BrokenPipeError), installation.first_keys() as made:
        shown.update(made)
        raise BrokenPipeError
    return shown


def test_keys_that_were_never_shown_are_made_and_shown_by_the_next_start(workplace: Path) -> None:
    installation = open_installation(Settings(database_url="journeyflow.db"))  # and dies before it listens
    lost = shown_in_vain(installation)  # or as it shows them
    installation.engine.dispose()

    with serving() as server:
        key = server.told("admin key: ")
        assert server.send("/v1/contacts", key, contact="ann").status_code == 200
        assert server.send("/v1/contacts", lost["admin"], contact="ann").status_code == 401

    listed = data("keys", "list", "--json")
    assert [one["scope"] for one in listed] == ["admin", "write"]


def test_an_event_leads_to_a_mail_and_explain_tells_why(flows: Path) -> None:
    with serving("--flows", flows) as server:
        key = server.told("write key: ")
        server.send("/v1/identify", key, userId="ann", traits={"email": "ann@example.com", "vip": True})
        sign_up(server, "ann")
        wait_for_turn(server, "ann")

        story = done("explain", "ann", "--server", server.address, "--key", server.told("admin key: "))

        assert "entered by event Signed Up" in story
        assert "message hello queued to ann@example.com" in story
        assert "nodes.worth.cases[0].when: attribute vip = true (wanted: eq true): held" in story


def test_it_tells_a_listener_what_happens_and_does_not_wait_for_it_when_it_stops(flows: Path) -> None:
    with serving("--flows", flows) as server:
        headers = {"Authorization": f"Bearer {server.told('admin key: ')}"}
        with httpx.stream("GET", f"{server.address}/v1/stream", headers=headers, timeout=60) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith(":")
            sign_up(server, "ann")
            told = next(line for line in lines if line.startswith("event: "))
            stopped = server.stop()

    assert (told, stopped) == ("event: entered", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_commits_what_it_was_given_and_ends_well(flows: Path, number: signal.Signals) -> None:
    with serving("--flows", flows) as server:
        for contact in ("ann", "bob"):
            sign_up(server, contact)

        assert server.stop(number) == 0
        assert "Traceback" not in server.errors()

    assert data("contacts", "show", "bob", "--json")["contact"] == "bob"


def test_a_second_engine_is_refused_and_told_of_the_first(flows: Path) -> None:
    with serving("--flows", flows) as first:
        assert first.address

        with serving() as second:
            assert second.process.wait(60) == 3
            said = second.errors()

        assert said.startswith("error: ")
        assert f"process {first.process.pid} " in said.splitlines()[0]
        assert "Traceback" not in said


def test_the_api_alone_may_run_beside_the_engine(flows: Path) -> None:
    with serving("--flows", flows) as first:
        key = first.told("admin key: ")
        with serving("--no-engine") as second:
            answer = second.send("/v1/contacts", key, contact="ann", attributes={"name": "Ann"})

            assert answer.status_code == 200
            assert answer.json()["attributes"] == {"name": "Ann"}
            assert second.stop() == 0


def test_what_was_answered_with_200_survives_a_kill(flows: Path) -> None:
    with serving("--flows", flows) as server:
        keys = [server.told("admin key: "), server.told("write key: ")]
        for number in range(20):
            sign_up(server, f"contact {number}")
        server.stop(signal.SIGKILL)

    with serving() as server:
        server.said += [f"admin key: {keys[0]}", f"write key: {keys[1]}"]
        assert server.address
        for number in range(20):
            wait_for_turn(server, f"contact {number}")
        stats = httpx.get(f"{server.address}/v1/journeys/welcome/stats", auth=(keys[0], "")).json()
        assert server.stop() == 0

    assert (stats["entered"], stats["active"]) == (20, 20)


def test_errors_of_the_folder_are_all_told_before_anything_is_made(flows: Path, workplace: Path) -> None:
    (flows / "broken.yaml").write_text("journey: broken\nstart: nowhere\nnodes: {a: {type: wait}, b: {type: emial}}\n")

    result = call("serve", "--port", 0, "--flows", flows)

    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].startswith("error: ")
    assert result.stderr.count("broken.yaml:") >= 2
    assert not (workplace / "journeyflow.db").exists()


def test_a_port_that_is_taken_is_said_so_before_keys_are_made(workplace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = call("serve", "--port", port)

    assert result.exit_code == 3
    assert f"127.0.0.1:{port} can't be listened on" in result.stderr
    assert not (workplace / "journeyflow.db").exists()


def test_beside_the_file_of_another_program_nothing_is_put_and_in_it_nothing_is_changed(workplace: Path) -> None:
    theirs = workplace / "theirs.db"
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    before = theirs.read_bytes()

    for command in (("serve", "--port", 0), ("worker",), ("journeys", "list")):
        result = call(*command, "--database-url", theirs)
        assert result.exit_code == 3
        assert "another program made this database (it has a table customers)" in result.stderr

    assert (list(workplace.iterdir()), theirs.read_bytes()) == ([theirs], before)


def test_a_file_that_is_no_database_is_left_alone(workplace: Path) -> None:
    (workplace / "notes.txt").write_text("not a database, whatever the name of the setting may say. " * 3)

    assert "notes.txt is not a SQLite database" in call("serve", "--port", 0, "--database-url", "notes.txt").stderr
    assert [one.name for one in workplace.iterdir()] == ["notes.txt"]


def test_serve_and_doctor_say_alike_that_the_directory_is_not_there(workplace: Path) -> None:
    missing = f"the directory {workplace}/nowhere of the database does not exist; make it first"

    assert missing in call("serve", "--port", 0, "--database-url", workplace / "nowhere" / "x.db").stderr
    assert missing in call("doctor", "--database-url", workplace / "nowhere" / "x.db").stdout


def test_keys_of_the_environment_are_taken(flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYFLOW_ADMIN_KEY", "an-admin-key-of-our-own")
    monkeypatch.setenv("JOURNEYFLOW_WRITE_KEY", "a-write-key-of-our-own!")

    with serving("--flows", flows) as server:
        assert server.told("admin key: ") == "an-admin-key-of-our-own"
        answer = httpx.get(f"{server.address}/v1/journeys", auth=("an-admin-key-of-our-own", ""))
        assert [one["id"] for one in answer.json()["items"]] == ["welcome"]


def test_short_keys_are_taken_and_told(flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYFLOW_ADMIN_KEY", "a")
    monkeypatch.setenv("JOURNEYFLOW_WRITE_KEY", "a-write-key-of-our-own!")

    with serving("--flows", flows) as server:
        assert httpx.get(f"{server.address}/v1/journeys", auth=("a", "")).status_code == 200
        assert server.stop() == 0
        told = server.errors()

    assert told.count("JOURNEYFLOW_ADMIN_KEY has fewer than 16 characters and can be guessed") == 1
    assert "JOURNEYFLOW_WRITE_KEY has" not in told


def test_what_is_warned_of_at_the_start_is_a_log_line_in_the_form_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JOURNEYFLOW_ADMIN_KEY", "a")
    monkeypatch.setenv("JOURNEYFLOW_LOG_FORMAT", "json")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        warning, error = call("serve", "--port", taken.getsockname()[1]).stderr.splitlines()

    told = orjson.loads(warning)
    assert (told["level"], told["event"][:44]) == ("warning", "JOURNEYFLOW_ADMIN_KEY has fewer than 16 char")
    assert error.startswith("error: ")


def test_mails_whose_links_lead_nowhere_are_told_by_whoever_sends_them(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smtp = SecretStr("smtp://127.0.0.1:1")
    worker = open_installation(Settings(email_url=smtp))
    warn_of_links(worker)
    server = open_installation(Settings(base_url="https://shop.example"))
    server.keep_links()
    beside = open_installation(Settings(email_url=smtp))
    warn_of_links(beside)
    for one in (worker, server, beside):
        one.engine.dispose()

    told = capsys.readouterr()
    assert (told.out + told.err).count(
        "mails go out, but only this machine or network reaches http://127.0.0.1:8000"
    ) == 1


def test_a_key_is_revoked_where_the_settings_give_another(flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYFLOW_ADMIN_KEY", "an-admin-key-that-leaked")
    monkeypatch.setenv("JOURNEYFLOW_WRITE_KEY", "a-write-key-of-our-own!")
    with serving("--flows", flows) as server:
        sign_up(server, "ann")
        assert server.stop() == 0
    monkeypatch.delenv("JOURNEYFLOW_WRITE_KEY")  # given for the first start, and not again
    monkeypatch.setenv("JOURNEYFLOW_ADMIN_KEY", "an-admin-key-of-our-own")
    with serving() as server:
        wait_for_turn(server, "ann")
        asked = [
            httpx.get(f"{server.address}/v1/journeys", auth=(key, "")).status_code
            for key in ("an-admin-key-that-leaked", "an-admin-key-of-our-own", "a-write-key-of-our-own!")
        ]
        assert server.stop() == 0
        assert "an admin key from former settings is revoked" in server.errors()

    assert asked == [401, 200, 403]
    kept = data("keys", "list", "--json")
    assert [(one["scope"], one["revoked_at"] is None) for one in kept] == [
        ("admin", False), ("write", True), ("admin", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("LOG_LEVEL", "chatty"),
        ("EMAIL_URL", "smtp://mail.example?tls=maybe"),
        ("SMS_URL", "carrier-pigeon://"),
        ("PUSH_URL", "carrier-pigeon://"),
        ("WEBHOOK_SECRET", "abc"),
        ("BASE_URL", "shop.example"),
        ("SECRET_KEY", ""),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch, setting: str, value: str) -> None:
    monkeypatch.setenv(f"JOURNEYFLOW_{setting}", value)

    result = call("serve", "--port", 0)

    assert result.exit_code == 1
    assert f"JOURNEYFLOW_{setting}: expected" in result.stderr.replace("tls: expected", "expected")


def test_wrong_usage_is_exit_code_2() -> None:
    assert call("serve", "--port", "many").exit_code == 2
    assert call("serve", "--worker").exit_code == 2
