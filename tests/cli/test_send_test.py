"""``send-test``, and the kinds of documents that templates are made of in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.channels.mail_server import MailServer
from tests.cli.calls import call, data, done

from journeyflow.bootstrap import open_installation
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_folder
from journeyflow.settings import Settings


@pytest.fixture
def server() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def framed(flows: Path) -> Path:
    """A folder with a layout, a partial and a survey, the first two as message files."""
    (flows / "hello.md").write_text(
        "---\ntemplate: hello\nsubject: Hello {{ contact.name }} {{ trigger.n }}\nlayout: frame\n---\n"
        'Hello\n\n{% survey "taste" %}\n'
    )
    (flows / "frame.mjml").write_text(
        "---\nlayout: frame\n---\n<mjml><mj-body><mj-section><mj-column><mj-text>{{ content }}</mj-text></mj-column>"
        '</mj-section>{% render "foot" %}</mj-body></mjml>\n'
    )
    (flows / "foot.liquid").write_text(
        "---\npartial: foot\n---\n<mj-section><mj-column><mj-text>Bye</mj-text></mj-column></mj-section>\n"
    )
    (flows / "surveys").mkdir()
    (flows / "surveys" / "taste.yaml").write_text(
        "survey: taste\nquestion: What do you drink?\nchoices:\n  - {id: tea, label: Tea, tag: likes-tea}\n"
    )
    return flows


def test_a_test_is_sent_through_the_mail_server_that_is_set(
    framed: Path, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("apply", framed)
    Path("c.csv").write_text("contact,name\nann,Ann\n")
    done("contacts", "import", "c.csv")
    monkeypatch.setenv("JOURNEYFLOW_EMAIL_URL", f"smtp://127.0.0.1:{server.port}")

    said = done("send-test", "hello", "--to", "me@example.com", "--contact", "ann", "--values", '{"trigger": {"n": 3}}')

    assert said == "sent to me@example.com: Hello Ann 3\n"
    (mail,) = server.messages
    assert mail["Subject"] == "Hello Ann 3"
    assert data("contacts", "show", "ann", "--json")["tags"] == []


def test_links_lead_to_the_server_on_the_database_where_no_setting_says_otherwise(
    framed: Path, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("apply", framed)
    serving = open_installation(Settings(port=8014))
    serving.keep_links()
    serving.engine.dispose()
    monkeypatch.setenv("JOURNEYFLOW_EMAIL_URL", f"smtp://127.0.0.1:{server.port}")

    done("send-test", "hello", "--to", "me@example.com")
    monkeypatch.setenv("JOURNEYFLOW_BASE_URL", "https://shop.example")
    done("send-test", "hello", "--to", "me@example.com")

    beginnings = [str(mail["List-Unsubscribe"]).partition("/u/")[0] for mail in server.messages]
    assert beginnings == ["<http://127.0.0.1:8014", "<https://shop.example"]


def test_a_mailbox_sends_nothing_and_says_so(framed: Path) -> None:
    done("apply", framed)
    result = call("send-test", "hello", "--to", "me@example.com")

    assert (result.exit_code, result.stdout) == (0, "not sent to me@example.com, but would be: Hello\n")
    assert "JOURNEYFLOW_EMAIL_URL names a mail server" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("gone", "--to", "me@example.com"), 1, "there is no template gone"),
        (("hello", "--to", "me@example.com", "--contact", "nobody"), 1, "there is no contact 'nobody'"),
        (("hello", "--to", "me@example.com", "--values", "[1]"), 1, "--values: expected a JSON object"),
        (("hello", "--to", "me@example.com", "--values", "{"), 1, "--values: expected JSON"),
        (("hello", "--to", "me"), 1, 'to: expected an e-mail address such as ann@example.com, found "me"'),
        (("hello", "--to", ""), 1, 'to: expected an e-mail address such as ann@example.com, found ""'),
        (("hello",), 2, "--to"),
    ],
)
def test_what_cannot_be_sent_is_told(framed: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    done("apply", framed)
    result = call("send-test", *arguments)

    assert (result.exit_code, words in result.stderr) == (code, True), result.stderr


def test_a_mail_server_that_is_away_is_an_error_and_nothing_comes_before_it(
    framed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("apply", framed)
    monkeypatch.setenv("JOURNEYFLOW_EMAIL_URL", "smtp://127.0.0.1:1")

    result = call("send-test", "hello", "--to", "me@example.com")

    assert (result.exit_code, result.stderr.splitlines()[0][:7]) == (3, "error: "), result.stderr


def test_parts_may_be_message_files_and_a_layout_is_of_the_format_of_its_file(framed: Path) -> None:
    checked = check_folder([framed], LiquidRenderer())

    assert checked.problems == []
    assert checked.documents.layouts["frame"].format == "mjml"
    assert list(checked.documents.partials) == ["foot"]
    assert list(checked.documents.surveys) == ["taste"]


def test_a_missing_partial_is_told_with_file_and_line(framed: Path) -> None:
    (framed / "foot.liquid").unlink()
    result = call("check", framed)

    assert result.exit_code == 1
    assert (
        "frame.mjml:4: JF012 body: line 1: expected the id of a partial; there are none"
        in result.stdout + result.stderr
    )


def test_plan_and_apply_know_all_kinds(framed: Path) -> None:
    said = done("plan", framed)

    for what in ("layout frame", "partial foot", "survey taste"):
        assert what in said
    done("apply", framed)
    assert "layout" not in done("plan", framed)


def test_a_mail_server_that_is_none_is_told_with_its_setting(framed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done("apply", framed)
    monkeypatch.setenv("JOURNEYFLOW_EMAIL_URL", "carrier-pigeon://")

    result = call("send-test", "hello", "--to", "ann@example.com")

    assert result.exit_code == 1
    assert "JOURNEYFLOW_EMAIL_URL: expected mailbox://, smtp://... or smtps://..." in result.stderr
