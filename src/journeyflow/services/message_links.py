"""The links of one message: the signed ones to our own pages, the tracked ones, and where they say one came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from journeyflow.core.contact import Contact
from journeyflow.core.journey import Journey
from journeyflow.core.survey import Survey
from journeyflow.core.template import Template
from journeyflow.core.values import JSON
from journeyflow.core.workspace import Tracking, Workspace, nearest
from journeyflow.rendering.links import with_html_links, with_image, with_text_links
from journeyflow.rendering.message import Footer, RenderedEmail
from journeyflow.rendering.survey_tag import ShownSurvey
from journeyflow.services.tokens import Purpose, Signer

URL_LENGTH_MAX: Final = 1_500
"""A longer address is linked to as it is: its token would not fit everywhere."""
NOT_TRACKED: Final = Tracking(opens=False, clicks=False)


def known_instant(token: Mapping[str, JSON]) -> int | None:
    """When the message was queued that a link is in, in microseconds; ``None`` where its token does not say."""
    at = token.get("at")
    return at if isinstance(at, int) else None


def tracking_of(workspace: Workspace, journey: Journey | None, template: Template, contact: Contact) -> Tracking:
    """What is told of a message: as its template says, else its journey, else the workspace; nothing against the
    contact's will (its attribute ``tracking`` is false).
    """
    if contact.attributes.get("tracking") is False:
        return NOT_TRACKED
    of_journey = None if journey is None else journey.tracking
    return nearest(template.tracking, of_journey, workspace.tracking)


class Passage(NamedTuple):
    """Which message a link is in. ``test`` marks one that was sent to look at: its links change nothing.

    ``queued_at`` (microseconds) is when the message was queued, which helps to find it.
    """

    contact: str
    message: str
    journey: str
    template: str | None
    topic: str | None
    test: bool = False
    queued_at: int | None = None


@dataclass(frozen=True, slots=True)
class MessageLinks:
    """Makes the links of one message; ``base`` is where our own pages are, without a slash at the end."""

    signer: Signer
    base: str
    passage: Passage

    def _signed(self, purpose: Purpose, path: str, data: dict[str, JSON]) -> str:
        marked = {**data, "c": self.passage.contact, **({"test": True} if self.passage.test else {})}
        return f"{self.base}/{path}/{self.signer.sign(purpose, marked)}"

    @property
    def _message(self) -> dict[str, JSON]:
        queued_at = self.passage.queued_at
        return {"m": self.passage.message, **({} if queued_at is None else {"at": queued_at})}

    @property
    def unsubscribe(self) -> str:
        """Takes consent away: for the message's topic, or for everything."""
        return self._signed("unsubscribe", "u", {"t": self.passage.topic, "m": self.passage.message})

    @property
    def preferences(self) -> str:
        """The page where the contact chooses."""
        return self._signed("preferences", "p", {})

    def answer(self, survey: str, choice: str) -> str:
        """Answers a survey."""
        return self._signed("survey", "s", {"s": survey, "a": choice, "m": self.passage.message})

    @property
    def image(self) -> str:
        """Tells that the message is looked at."""
        return self._signed("open", "t/o", self._message) + ".gif"

    def click(self, url: str, query: str) -> str:
        """Tells that a link was followed, and leads to ``url`` with ``query`` added."""
        data: dict[str, JSON] = {**self._message, "u": url, **({"q": query} if query else {})}
        return self._signed("click", "t/c", data)

    def footer(self, workspace: Workspace, *, appended: bool) -> Footer:
        """What the law wants in marketing mail."""
        return Footer(workspace.postal_address, self.unsubscribe, self.preferences, appended)

    def surveys(self, surveys: Iterable[Survey]) -> dict[str, ShownSurvey]:
        """Surveys as the message shows them, by id."""
        return {
            one.survey: ShownSurvey(
                one.question, tuple((choice.label, self.answer(one.survey, choice.id)) for choice in one.choices)
            )
            for one in surveys
        }


def finished(
    mail: RenderedEmail,
    links: MessageLinks,
    workspace: Workspace,
    tracking: Tracking,
    surveys: Mapping[str, ShownSurvey],
) -> RenderedEmail:
    """The mail with the links and the image that it goes out with."""
    utm = _utm(workspace, links.passage)
    if utm is None and not tracking.clicks:
        html, text = mail.html, mail.text
    else:
        own = {links.unsubscribe, links.preferences, *(url for one in surveys.values() for _, url in one.answers)}

        def change(url: str) -> str:
            parts = None if url in own or len(url) > URL_LENGTH_MAX else _of_a_page(url)
            if parts is None:
                return url
            query = "" if utm is None else utm.missing(parts)
            return links.click(url, query) if tracking.clicks else with_query(url, query)

        html, text = with_html_links(mail.html, change), with_text_links(mail.text, change)
    return RenderedEmail(mail.subject, mail.preheader, with_image(html, links.image) if tracking.opens else html, text)


def _of_a_page(url: str) -> SplitResult | None:
    """The parts of a web page's address; ``None`` for ``mailto:``, ``#top`` and what else is none."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname)
    except ValueError:
        return None
    return parts if named and parts.scheme in ("http", "https") else None


def with_query(url: str, query: str) -> str:
    """The address with more in its query, in front of ``#...``."""
    if not query:
        return url
    page, mark, place = url.partition("#")
    joint = "" if page.endswith(("?", "&")) else "&" if "?" in page else "?"
    return f"{page}{joint}{query}{mark}{place}"


@dataclass(frozen=True, slots=True)
class _Utm:
    values: tuple[tuple[str, str], ...]
    domains: tuple[str, ...]
    sender_domain: str | None

    def missing(self, page: SplitResult) -> str:
        """What the address of a page lacks; nothing where the page is not the shop's."""
        if not self._is_the_shops(page.hostname or ""):
            return ""
        known = {name for name, _ in parse_qsl(page.query, keep_blank_values=True)}
        return urlencode([(name, value) for name, value in self.values if name not in known])

    def _is_the_shops(self, host: str) -> bool:
        if self.domains:
            return any(_within(host, domain) for domain in self.domains)
        sender = self.sender_domain
        return sender is None or _within(host, sender) or ("." in host and _within(sender, host))


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _utm(workspace: Workspace, passage: Passage) -> _Utm | None:
    if workspace.utm is None:
        return None
    values = (
        ("utm_source", workspace.utm.source),
        ("utm_medium", workspace.utm.medium),
        ("utm_campaign", passage.journey),
        ("utm_content", passage.template or ""),
    )
    sender = workspace.sender
    return _Utm(values, workspace.utm.domains, sender.email.rpartition("@")[2].lower() if sender else None)
