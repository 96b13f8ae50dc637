"""Who is taken for a machine, and who is not."""

from __future__ import annotations

import pytest

from journeyflow.services.machines import is_machine

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


@pytest.mark.parametrize(
    "agent",
    [
        CHROME,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Mozilla/5.0 (Linux; Android 9; CUBOT NOTE S) AppleWebKit/537.36",
        "python-httpx/0.28",
        "",
    ],
)
def test_a_person_is_whoever_does_not_say_otherwise(agent: str) -> None:
    assert not is_machine({"user-agent": agent})


@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "Mozilla/5.0"},
        {"user-agent": "BarracudaCentral/1.0"},
        {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
        {"user-agent": "facebookexternalhit/1.1"},
        {"user-agent": "WhatsApp/2.23.20.0"},
        {"user-agent": "Mimecast URL scanner"},
        {"user-agent": "curl/8.7.1"},
        {"user-agent": "Wget/1.21.4"},
        {"user-agent": "Go-http-client/2.0"},
        {"user-agent": "Java/17.0.2"},
        {"user-agent": f"{CHROME} BingPreview/1.0b"},
        {"user-agent": CHROME, "sec-purpose": "prefetch;prerender"},
        {"user-agent": CHROME, "purpose": "prefetch"},
        {"user-agent": CHROME, "x-purpose": "preview"},
    ],
)
def test_a_machine_is_who_says_so(headers: dict[str, str]) -> None:
    assert is_machine(headers)
