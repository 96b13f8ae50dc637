"""Whether a machine, and no person, fetched what a link in a message leads to.

Conservative: only what says of itself that it is none is taken for a machine. Gmail's and Yahoo's image proxies fetch
when a person opens the mail, so they are people. Apple's Mail Privacy Protection fetches all images whether a mail is
read or not; it is known when it calls itself ``Mozilla/5.0`` and nothing more, as it mostly does, and can't be told
from a person when it does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_SCANNERS: Final = (
    "barracuda", "bingpreview", "bitdefender", "cloudmark", "embedly", "facebookexternalhit", "fireeye", "forcepoint",
    "fortinet", "iframely", "ironport", "mimecast", "office existence discovery", "proofpoint", "safelinks",
    "skypeuripreview", "sophos", "symantec", "trendmicro", "trustwave", "urlscan", "virustotal", "whatsapp/", "zscaler",
)  # fmt: skip
"""Mail security gateways and link previews, as they call themselves."""
_PROGRAMS: Final = (
    "aiohttp/", "apache-httpclient/", "axios/", "curl/", "go-http-client/", "httpie/", "java/",
    "libwww-perl/", "node-fetch/", "phantomjs/", "postmanruntime/", "scrapy/", "wget/",
)  # fmt: skip
"""Tools and libraries that fetch, as they call themselves where nobody gave them another name."""
_ROBOT: Final = re.compile(r"(?<!cu)bot\b|\b(crawler|spider|scanner|prefetch|link[ -]?preview)", re.IGNORECASE)
_PRIVACY_PROXY: Final = "mozilla/5.0"
_SPECULATIVE: Final = ("purpose", "sec-purpose", "x-moz", "x-purpose")
_SPECULATIONS: Final = ("prefetch", "prerender", "preview")


def is_machine(headers: Mapping[str, str]) -> bool:
    """Whether a request's headers (names in lower case, or a mapping that ignores case) are a machine's."""
    if any(word in headers.get(name, "").lower() for name in _SPECULATIVE for word in _SPECULATIONS):
        return True
    agent = headers.get("user-agent", "").strip().lower()
    if agent == _PRIVACY_PROXY or any(name in agent for name in (*_SCANNERS, *_PROGRAMS)):
        return True
    return _ROBOT.search(agent) is not None
