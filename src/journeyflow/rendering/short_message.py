"""A message that is one plain text (SMS, push): compiled once, filled in for each contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering.analysis import ReadPath, shortest
from journeyflow.rendering.liquid import NO_SURVEYS, Liquid
from journeyflow.rendering.message import FOOTER_VALUES, NO_FOOTER, Footer, RenderedEmail
from journeyflow.rendering.survey_tag import Surveys


class CompiledShortMessage:
    """A text ready to be filled in any number of times."""

    __slots__ = ("_text", "can_fail", "needs", "reads", "surveys")

    def __init__(self, liquid: Liquid, body: str) -> None:
        """Make a text ready.

        :raises TemplateError: naming the line and the cause.
        """
        try:
            self._text = liquid.compile(body)
        except TemplateError as error:
            raise error.within("body") from error
        self.reads: Final[tuple[ReadPath, ...]] = shortest(
            {path for path in self._text.reads if path[0] not in FOOTER_VALUES}
        )
        """The paths that it reads, without those that come with the footer."""
        self.needs: Final[tuple[str, ...]] = ()
        """A short message is made of nothing but its own text."""
        self.surveys: Final[tuple[str, ...]] = ()
        self.can_fail: Final[bool] = self._text.can_fail
        """Whether filling it in can fail for some values."""

    def attempt(self, values: Mapping[str, JSON]) -> None:
        """Fill it in and throw the result away.

        :raises TemplateError: when it fails; names the line and the cause.
        """
        if self.can_fail and not self._text.surely_works(values):
            self.render(values, NO_FOOTER)

    def render(
        self, values: Mapping[str, JSON], footer: Footer, surveys: Surveys = NO_SURVEYS, subject: str | None = None
    ) -> RenderedEmail:
        """Fill it in: there is only ``text``. Nothing is written below it; the links are there to be printed.

        :raises TemplateError: when it fails; names the line and the cause.
        """
        try:
            text = self._text.render({**values, **footer.values()})
        except TemplateError as error:
            raise error.within("body") from error
        return RenderedEmail("", "", "", text.strip())
