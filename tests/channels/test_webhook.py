"""What a receiver sees of a call, and what its answers mean; against a real server."""

from __future__ import annotations

import asyncio
import base64
import hmac
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from threading import Event

import pytest
from tests.channels.web_server import Answer, WebServer, web_server

from journeyflow.channels.webhook import (
    REPLY_BYTES_MAX,
    PrivateHosts,
    Request,
    Response,
    WebhookChannel,
    read_secret,
    signature,
)
from journeyflow.core.errors import DeliveryError, InvalidValue, Refused, Unavailable
from journeyflow.core.values import JSON

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ID = "61f9c04f-97e1-5be7-877f-ddf7cbe91209"


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as found:
        yield found


def call(
    request: Request, secret: bytes | None = None, private: PrivateHosts = "written", seconds: float = 5
) -> Response:
    async def once() -> Response:
        channel = WebhookChannel(secret, private)
        try:
            return await channel.call(request, NOW, seconds)
        finally:
            await channel.close()

    return asyncio.run(once())


def post(server: WebServer, path: str = "/hook", **more: object) -> Request:
    return Request(ID, "POST", server.url + path, **more)  # type: ignore[arg-type]  # fields of Request by name


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_rule_4_10_a_call_carries_its_identity_at_each_attempt(server: WebServer) -> None:
    request = post(server, "/a?b=c", headers={"X-Shop": "Gdansk", "User-Agent": "shop"}, body='{"n":1}')

    call(request)
    call(request)

    assert [asked.headers["idempotency-key"] for asked in server.asked] == [ID, ID]
    first = server.asked[0]
    assert (first.method, first.path, first.body) == ("POST", "/a?b=c", b'{"n":1}')
    assert first.headers["content-type"] == "application/json"
    assert (first.headers["x-shop"], first.headers["user-agent"]) == ("Gdansk", "shop")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_all_methods_are_sent_with_no_body_where_there_is_none(server: WebServer, method: str) -> None:
    call(Request(ID, method, server.url))

    (asked,) = server.asked
    assert (asked.method, asked.body, "content-type" in asked.headers) == (method, b"", False)


def test_the_content_type_can_be_another_one(server: WebServer) -> None:
    call(post(server, headers={"Content-Type": "application/vnd.shop+json"}, body="{}"))

    assert server.asked[0].headers["content-type"] == "application/vnd.shop+json"


def test_a_signed_call_can_be_checked_as_standard_webhooks_says(server: WebServer) -> None:
    key = bytes(range(32))

    call(post(server, body='{"n":1}'), read_secret("whsec_" + base64.b64encode(key).decode()))

    headers = server.asked[0].headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + server.asked[0].body
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == ID
    assert int(headers["webhook-timestamp"]) == NOW.timestamp()


def test_the_example_of_standard_webhooks_is_signed_as_there() -> None:
    secret = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')

    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_short", "whsec_" + "A" * 200, "not base64 at all!"])
def test_a_secret_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidValue) as found:
        read_secret(text)

    assert len(text) < 9 or text not in str(found.value)


# --- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"level": "gold", "n": [1, 2.5, null]}', {"level": "gold", "n": [1, 2.5, None]}),
        (b"[1]", [1]),
        (b'"yes"', "yes"),
        (b"", {}),
        (b"  \n", {}),
        (b"<p>Thanks</p>", {"text": "<p>Thanks</p>"}),
        ("żółw".encode(), {"text": "żółw"}),
        (b"\xff\xfe\x00", {"text": "\ufffd\ufffd\ufffd"}),
        (b"{broken", {"text": "{broken"}),
        (b"[" * 300 + b"]" * 300, {"text": "[" * 300 + "]" * 300}),
    ],
)
def test_a_reply_is_json_or_text(server: WebServer, body: bytes, kept: JSON) -> None:
    server.answers = [Answer(202, body)]

    assert call(post(server)) == Response(202, kept)


def test_a_reply_that_nobody_reads_may_be_of_any_size(server: WebServer) -> None:
    server.answers = [Answer(200, b"x" * (REPLY_BYTES_MAX + 1))]

    assert call(post(server, wants_reply=False)) == Response(200, {})
    with pytest.raises(Refused, match="at most 65,536 bytes"):
        call(post(server))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
def test_rule_4_8_what_the_receiver_refuses_is_refused_for_good(server: WebServer, status: int) -> None:
    server.answers = [Answer(status, b'{"error":\n "no such\tperson"}')]

    with pytest.raises(Refused) as found:
        call(post(server))

    assert str(found.value) == f'HTTP {status}: {{"error": "no such person"}}'


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_rule_4_8_what_the_receiver_cant_do_now_is_tried_again(server: WebServer, status: int) -> None:
    server.answers = [Answer(status, b"")]

    with pytest.raises(Unavailable, match=f"^HTTP {status}$"):
        call(post(server))


def test_redirects_are_not_followed(server: WebServer) -> None:
    server.answers = [Answer(307, headers={"Location": f"{server.url}/elsewhere"})]

    with pytest.raises(Refused, match="HTTP 307: redirects are not followed"):
        call(post(server))

    assert [asked.path for asked in server.asked] == ["/hook"]


def test_nobody_there_is_not_now() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(Unavailable):
        call(Request(ID, "GET", f"http://127.0.0.1:{port}"))


def test_no_answer_in_time_is_not_now(server: WebServer) -> None:
    never = Event()
    server.answers = [Answer(when=never)]

    with pytest.raises(Unavailable, match="no answer in time"):
        call(post(server), seconds=0.05)
    never.set()


# --- hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254", "[::ffff:10.0.0.1]"]
)
def test_a_host_that_was_filled_in_must_be_public(host: str) -> None:
    with pytest.raises(Refused, match="must have a public address"):
        call(Request(ID, "GET", f"http://{host}:9/", host_written=False))


def test_the_operator_may_allow_all_hosts_or_only_public_ones(server: WebServer) -> None:
    assert call(post(server, host_written=False), private="always").status == 200
    with pytest.raises(Refused, match="must have a public address"):
        call(post(server), private="never")
    assert len(server.asked) == 1


def test_the_address_that_was_judged_is_the_one_that_is_called(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journeyflow.channels.webhook._is_public", lambda _: True)

    call(Request(ID, "GET", f"http://localhost:{server.port}/x", host_written=False))

    assert server.asked[0].headers["host"] == f"localhost:{server.port}"


@pytest.mark.parametrize("url", ["http://", "http://[::1", "https://exa mple/", "http://x:99999/"])
def test_an_address_that_is_none_is_a_failure_of_the_call(url: str) -> None:
    with pytest.raises(DeliveryError):
        call(Request(ID, "GET", url))
