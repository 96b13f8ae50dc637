"""``plan``, ``apply`` and ``journeys``, on the database and over HTTP."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import orjson
import pytest
from tests.api.shop import DATABASE, DOCUMENTS, open_shop
from tests.cli.calls import call, data, done, enrolled, make_contact, running

from journeyflow.db.documents import digest_of


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


@pytest.fixture
def applied(flows: Path) -> Path:
    done("apply", flows)
    return flows


# --- plan and apply --------------------------------------------------------------------------------------------------


def test_a_plan_needs_no_database_and_makes_none(flows: Path, workplace: Path) -> None:
    assert done("plan", flows).splitlines() == [
        "+ template hello",
        "+ journey welcome",
        "+ workspace shop",
        "3 to be added",
    ]
    done("apply", flows, "--dry-run")
    assert list(workplace.glob("journeyflow.db*")) == []


def test_applying_makes_the_difference_and_then_there_is_none(applied: Path) -> None:
    assert done("plan", applied) == "nothing to change\n"
    assert done("apply", applied) == "nothing was to be changed\n"
    assert [one["id"] for one in data("journeys", "list", "--json")] == ["welcome"]


def test_a_new_database_shows_its_keys_beside_the_answer(flows: Path) -> None:
    result = call("apply", flows)

    assert "admin key: jf_admin_" in result.stderr
    assert "key" not in result.stdout


def test_a_change_is_told_by_its_meaning_and_by_whom_it_concerns(applied: Path) -> None:
    enrolled("ann")
    edit(applied / "welcome.yaml", "for: 2d", "for: 3d")

    told = done("plan", applied)

    assert told.splitlines()[0] == "~ journey welcome"
    assert "nodes.pause.for: '2d' → '3d'" in told
    assert "1 run stands at pause" in told


def test_a_plan_says_that_archiving_ends_the_runs(applied: Path) -> None:
    enrolled("ann")
    enrolled("bob")
    edit(applied / "welcome.yaml", "journey: welcome", "journey: welcome\nstatus: archived")

    planned = done("plan", applied)

    assert planned.splitlines() == [
        "~ journey welcome",
        "    status: added 'archived'",
        "    2 runs stand at pause",
        "    archiving is final: nobody enters any more, and 2 runs in flight exit",
        "1 to be changed",
    ]
    assert done("apply", applied, "--dry-run") == planned
    assert done("apply", applied).splitlines()[:-1] == planned.splitlines()[:-1]
    assert "archiving" not in done("plan", applied)


def test_a_journey_that_was_archived_by_hand_is_told_by_plan_and_apply(applied: Path) -> None:
    done("journeys", "archive", "welcome")

    for verb, nothing in (("plan", "nothing to change"), ("apply", "nothing was to be changed")):
        note, last = done(verb, applied).splitlines()
        assert note.startswith("! journey welcome was archived by hand; its file says live and will not bring it back")
        assert last == nothing


def test_another_id_of_the_workspace_is_refused_with_the_ways_out(applied: Path) -> None:
    edit(applied / "workspace.yaml", "workspace: shop", "workspace: other")
    edit(applied / "welcome.yaml", "for: 2d", "for: 3d")

    planned = call("plan", applied)

    assert planned.exit_code == 1
    *_, workspace, refusal, last = planned.stdout.splitlines()
    assert workspace == "+ workspace other"
    assert "keep that id" in refusal
    assert "another database" in refusal
    assert last == "nothing can be applied: 1 change refused"
    assert "keep that id" in call("apply", applied).stderr


def test_what_is_not_in_the_folder_goes_only_with_prune(applied: Path) -> None:
    (applied / "welcome.yaml").unlink()

    assert done("plan", applied) == "nothing to change\n"
    assert done("plan", applied, "--prune").splitlines()[0] == "- journey welcome"
    done("apply", applied, "--prune")

    assert data("journeys", "list", "--json") == []


def test_a_plan_says_that_a_journey_with_runs_needs_archiving_before_it_can_be_removed(applied: Path) -> None:
    enrolled("ann")
    (applied / "welcome.yaml").unlink()

    planned = call("plan", applied, "--prune")
    refused = call("apply", applied, "--prune")

    assert planned.exit_code == refused.exit_code == 1
    assert planned.stdout.splitlines()[:3] == [
        "- journey welcome",
        "    1 run stands at pause",
        "    needs archiving first: 1 run in flight (status: archived)",
    ]
    assert refused.stderr == "error: journey welcome: needs archiving first: 1 run in flight (status: archived)\n"
    assert call("apply", applied, "--prune", "--dry-run").stdout == planned.stdout


def test_errors_of_the_folder_are_told_and_nothing_is_applied(applied: Path) -> None:
    edit(applied / "welcome.yaml", "template: hello", "template: helo")
    edit(applied / "hello.md", "Hello {{ contact.name }}\n---", "Hi\n---")

    result = call("apply", applied)

    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "error: 1 error in the documents"
    assert "welcome.yaml:" in result.stderr
    assert "JF012" in result.stderr


def test_a_folder_is_whole_by_itself_whatever_the_installation_has(applied: Path) -> None:
    (applied / "hello.md").unlink()

    result = call("plan", applied)

    assert result.exit_code == 1
    assert "welcome.yaml:9: JF012 nodes.mail.template: expected the id of a template" in result.stderr


# --- journeys --------------------------------------------------------------------------------------------------------


def test_a_journey_is_shown_with_its_document(applied: Path) -> None:
    told = done("journeys", "show", "welcome")

    assert "status: live" in told
    assert "template: hello" in told
    assert data("journeys", "show", "welcome", "--json")["document"]["journey"] == "welcome"


def test_enrolling_has_happened_when_the_command_returns(applied: Path) -> None:
    make_contact("ann")

    told = done("journeys", "enroll", "welcome", "ann", "--properties", '{"plan": "gold"}')

    assert told.startswith("ann has entered welcome: run ")
    assert data("journeys", "stats", "welcome", "--json")["entered"] == 1
    assert "plan = gold" in done("explain", "ann")


def test_somebody_unknown_is_not_enrolled_and_not_made(applied: Path) -> None:
    result = call("journeys", "enroll", "welcome", "Ann")

    assert (result.exit_code, result.stderr) == (1, "error: there is no contact 'Ann'\n")
    assert call("contacts", "show", "Ann").exit_code == 1


def test_who_is_refused_is_told_why(applied: Path) -> None:
    enrolled("ann")

    result = call("journeys", "enroll", "welcome", "ann")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "error: welcome has refused ann: duplicate"


def test_a_paused_journey_lets_nobody_in_until_it_goes_on(applied: Path) -> None:
    assert done("journeys", "pause", "welcome") == (
        "welcome stands still: its runs wait; who would come in until it is resumed does not come in\n"
    )
    assert call("journeys", "enroll", "welcome", "ann").exit_code == 1

    assert done("journeys", "resume", "welcome") == "welcome goes on; 0 runs were overdue by more than a day\n"
    assert done("journeys", "pause", "welcome", "--entries") == "welcome lets nobody in; runs go on\n"


def test_who_is_overdue_has_to_be_told_to_go_on_now(workplace: Path) -> None:
    shop = open_shop(workplace)  # its clock stands long before now
    shop.ingest.start()
    shop.publish(*DOCUMENTS)
    shop.track("ann", "Signed Up")
    shop.ingest.stop()
    shop.installation.engine.dispose()
    database = ("--database-url", DATABASE)
    done("journeys", "pause", "welcome", *database)

    refused = call("journeys", "resume", "welcome", *database)
    told = done("journeys", "resume", "welcome", "--now", *database)

    assert (refused.exit_code, refused.stderr) == (
        1,
        "error: runs overdue by more than a day: 1\n"
        "choose how they go on:\n"
        "  --now      at once, late as they are\n"
        "  --over 2h  spread evenly over a time\n"
        "  --shift    every due time of the journey moves by the length of the pause\n"
        "  --skip     at once, past the messages that are late\n",
    )
    assert told == "welcome goes on; 1 run was overdue by more than a day\n"


def test_the_numbers_of_a_journey(applied: Path) -> None:
    enrolled("ann")
    call("journeys", "enroll", "welcome", "ann")

    lines = [line.split() for line in done("journeys", "stats", "welcome").splitlines()]

    assert ["entered", "1"] in lines
    assert ["refused:", "duplicate", "1"] in lines
    assert ["pause", "1", "1"] in lines


@pytest.mark.parametrize("command", [["show"], ["stats"], ["pause"], ["resume"], ["enroll"]])
def test_an_unknown_journey_is_said_to_be_unknown(applied: Path, command: list[str]) -> None:
    contact = ["ann"] if command == ["enroll"] else []

    result = call("journeys", *command, "basket", *contact)

    assert (result.exit_code, result.stderr) == (1, "error: there is no journey basket\n")


@pytest.mark.parametrize("properties", ["{", "[1]", "7"])
def test_properties_have_to_be_an_object(applied: Path, properties: str) -> None:
    assert call("journeys", "enroll", "welcome", "ann", "--properties", properties).exit_code == 2


# --- keys ------------------------------------------------------------------------------------------------------------


def test_keys_are_made_listed_and_revoked(applied: Path) -> None:
    made = done("keys", "create", "write", "--name", "the shop")
    assert made.startswith("write key: jf_write_")

    listed = data("keys", "list", "--json")
    mine = next(one for one in listed if one["name"] == "the shop")
    assert made.split()[-1] not in done("keys", "list")

    assert done("keys", "revoke", mine["id"]) == f"key {mine['id']} is revoked\n"
    assert call("keys", "revoke", mine["id"]).exit_code == 1


def test_a_draft_is_published_by_name(flows: Path) -> None:
    file = flows / "welcome.yaml"
    text = file.read_text()
    file.write_text(text.replace("journey: welcome", "journey: welcome\nstatus: draft"))
    done("apply", flows)

    assert done("journeys", "publish", "welcome") == "welcome is live: version 2 is published\n"
    assert done("journeys", "publish", "welcome") == "welcome is live: version 2 is published\n"

    file.write_text(text.replace("journey: welcome", "journey: welcome\nstatus: live"))
    assert done("apply", flows) == "nothing was to be changed\n"
    assert call("journeys", "publish", "unknown").exit_code == 1


# --- what another release took ---------------------------------------------------------------------------------------

TWICE: Final = [{"id": "offers", "name": "Offers"}] * 2
REFUSED: Final = (
    "the workspace shop, version 1, is stored in this installation and refused by this release: topics[1].id: expected "
    "each topic once; offers comes twice; apply it corrected, or go back to the release that took it"
)


def alter(kind: str, version: int = 1, **changed: object) -> None:
    """Make a stored document one that only another release would have taken."""
    with closing(sqlite3.connect("journeyflow.db")) as connection, connection:
        where = "WHERE kind = ? AND version = ?"
        text = connection.execute(f"SELECT document FROM documents {where}", (kind, version)).fetchone()[0]
        document = orjson.loads(text) | changed
        values = orjson.dumps(document).decode(), digest_of(document), kind, version
        connection.execute(f"UPDATE documents SET document = ?, digest = ? {where}", values)


@pytest.fixture
def taken_by_another(applied: Path) -> Path:
    """An installation with a workspace that this release would not have taken."""
    alter("workspace", topics=TWICE)
    return applied


@pytest.mark.parametrize("command", [["serve", "--port", 0], ["worker"], ["send-test", "hello", "--to", "a@b.example"]])
def test_nothing_works_with_a_document_that_it_would_misunderstand(taken_by_another: Path, command: list[str]) -> None:
    result = call(*command)

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.splitlines()[-1] == f"error: {REFUSED}"


def test_another_document_is_not_published_beside_it(taken_by_another: Path) -> None:
    other = taken_by_another / "vip.yaml"
    other.write_text("segment: vip\nwhen: {tag: vip}\n")

    result = call("apply", other)

    assert result.exit_code == 1
    assert "(installation) workspace shop topics[1].id: JF006 expected each topic once" in result.stderr
    assert "welcome" not in result.stderr  # what refers to a document that is wrong by itself is not wrong for that


@pytest.mark.parametrize("arguments", [[], ["--prune"]])
def test_the_corrected_document_takes_its_place(taken_by_another: Path, arguments: list[str]) -> None:
    assert done("apply", taken_by_another, *arguments).splitlines()[-1] == "1 changed"

    assert done("send-test", "hello", "--to", "a@b.example") == "not sent to a@b.example, but would be: Hello\n"


def test_a_template_that_does_not_compile_any_more_is_named(applied: Path) -> None:
    alter("template", body="{{ x | nofilter }}")

    result = call("worker")

    assert result.exit_code == 3
    assert "error: the template hello, version 1, is stored in this installation and refused by" in result.stderr
    assert "unknown filter 'nofilter'" in result.stderr


def test_a_version_that_is_current_no_longer_keeps_nobody_from_working(applied: Path) -> None:
    enrolled("ann")
    edit(applied / "welcome.yaml", "for: 2d", "for: 3d")
    done("apply", applied)
    alter("journey", colour="red")

    assert done("send-test", "hello", "--to", "a@b.example") == "not sent to a@b.example, but would be: Hello\n"
    enrolled("bob")  # ann, who is on that version, is none of bob's business
    assert "welcome" in done("contacts", "show", "bob")


def test_of_a_former_version_it_is_said_that_only_a_release_helps(applied: Path) -> None:
    edit(applied / "welcome.yaml", "for: 2d", "for: 3d")
    done("apply", applied)
    alter("journey", colour="red")

    with running("worker") as worker:
        warning = next(line for line in worker.process.stderr or () if "former version" in line)

    assert (
        "the journey welcome, version 1, is stored in this installation and refused by this release: colour:" in warning
    )
    assert "contacts in runs on it are set aside until a release takes it" in warning
    assert "corrected" not in warning
