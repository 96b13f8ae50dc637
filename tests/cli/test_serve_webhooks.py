"""A serving process calls webhooks, and its runs go on with what comes back."""

from __future__ import annotations

from pathlib import Path

import httpx
from tests.channels.web_server import Answer, web_server
from tests.cli.calls import SECONDS_MAX, call, serving

ASK = """
journey: ask
triggers: [{{type: event, event: Go}}]
start: call
nodes:
  call: {{type: webhook, url: "{url}/level", json: {{n: {{ref: trigger.n}}}}, save_as: reply, next: keep}}
  keep: {{type: update, set: {{level: {{ref: vars.reply.level}}}}}}
"""


def _level(address: str, key: str) -> object:
    found = httpx.get(f"{address}/v1/contacts/ann", auth=(key, ""), timeout=SECONDS_MAX)
    return found.json()["attributes"].get("level") if found.status_code == 200 else None


def test_a_webhook_is_called_and_answered(flows: Path) -> None:
    with web_server() as receiver:
        receiver.answers = [Answer(200, b'{"level": "gold"}')]
        (flows / "ask.yaml").write_text(ASK.format(url=receiver.url))
        with serving("--flows", flows) as server:
            address, admin, write = server.address, server.told("admin key: "), server.told("write key: ")
            server.send("/v1/track", write, userId="ann", event="Go", properties={"n": 5})
            seen = next((level for _ in range(5_000) if (level := _level(address, admin))), None)

            assert seen == "gold"
            assert server.stop() == 0

    assert [asked.body for asked in receiver.asked] == [b'{"n":5}']


def test_a_secret_that_is_none_is_told_before_anything_is_made(workplace: Path) -> None:
    Path("journeyflow.toml").write_text('webhook_secret = "whsec_short"\n')

    result = call("serve", "--port", "0")

    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        1,
        "error: JOURNEYFLOW_WEBHOOK_SECRET: expected whsec_ and 24 to 64 bytes in base64",
    )
    assert [path.name for path in workplace.iterdir()] == ["journeyflow.toml"]
