"""The kinds of documents, and a set of them that belongs together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.flows import Flows, JourneyState, Published
from journeyflow.core.journey import Journey
from journeyflow.core.local_time import EARLIEST
from journeyflow.core.segment import Segment
from journeyflow.core.survey import Survey
from journeyflow.core.template import Layout, Partial, Parts, Template
from journeyflow.core.values import Model
from journeyflow.core.view import Library, Renderer, StoredTemplate
from journeyflow.core.workspace import DEFAULT, Workspace

KINDS: Final[Mapping[str, type[Model]]] = {
    "workspace": Workspace,
    "journey": Journey,
    "template": Template,
    "layout": Layout,
    "partial": Partial,
    "coupon_pool": CouponPool,
    "segment": Segment,
    "survey": Survey,
}
"""First key of a document → its model; the value of that key is the document's id."""


def id_of(document: Model) -> str:
    """The id of a document of any kind."""
    return str(getattr(document, kind_of(document)))


def kind_of(document: Model) -> str:
    """The kind of a document."""
    return next(kind for kind, model in KINDS.items() if isinstance(document, model))


@dataclass(slots=True)
class Documents:
    """Documents that may refer to each other, by id."""

    workspace: Workspace | None = None
    journeys: dict[str, Journey] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    pools: dict[str, CouponPool] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)
    partials: dict[str, Partial] = field(default_factory=dict)
    surveys: dict[str, Survey] = field(default_factory=dict)

    @classmethod
    def of(cls, documents: Iterable[Model]) -> Documents:
        """Sort documents by kind; of two workspaces the first counts."""
        found = cls()
        for document in documents:
            if isinstance(document, Journey):
                found.journeys[document.journey] = document
            elif isinstance(document, Template):
                found.templates[document.template] = document
            elif isinstance(document, CouponPool):
                found.pools[document.coupon_pool] = document
            elif isinstance(document, Segment):
                found.segments[document.segment] = document
            elif isinstance(document, Layout):
                found.layouts[document.layout] = document
            elif isinstance(document, Partial):
                found.partials[document.partial] = document
            elif isinstance(document, Survey):
                found.surveys[document.survey] = document
            elif isinstance(document, Workspace):
                found.workspace = found.workspace or document
        return found

    @property
    def parts(self) -> Parts:
        """What templates may name."""
        return Parts(self.layouts, self.partials)

    def library(self, renderer: Renderer, begins: datetime = EARLIEST) -> Library:
        """What runs look up live; every template is compiled. Segments and stages begin at an instant.

        :raises TemplateError: when a template does not compile (``problems`` finds these before).
        """
        parts = self.parts
        templates = {
            name: StoredTemplate(1, renderer.message(one, parts), one.tracking) for name, one in self.templates.items()
        }
        return Library(
            self.workspace or DEFAULT,
            templates,
            self.pools,
            renderer,
            self.surveys,
            segments=self.segments,
            begins=begins,
        )

    def published(self, renderer: Renderer, since: datetime) -> Flows:
        """All journeys live since an instant, in version 1: what a simulation runs."""
        current = {name: Published(journey, 1) for name, journey in self.journeys.items()}
        states: dict[str, JourneyState] = dict.fromkeys(current, "live")
        versions = {(one.id, 1): one for one in current.values()}
        armed = {
            (one.id, trigger.key): since
            for one in current.values()
            for trigger in one.journey.triggers
            if trigger.key is not None
        }
        flows = Flows(self.library(renderer, since), current, versions, states, armed)
        flows.library.standing = flows.library.standing.only_heard()
        return flows
