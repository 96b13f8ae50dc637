"""The template language as the core asks for it (:class:`journeyflow.core.view.Renderer`)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from journeyflow.core.template import Template
from journeyflow.rendering.liquid import CompiledText, Liquid
from journeyflow.rendering.message import CompiledEmail, compile_email
from journeyflow.rendering.short_message import CompiledShortMessage

MESSAGES_KEPT_MAX: Final = 512


class LiquidRenderer:
    """Compiles the texts of actions and whole templates, and remembers them."""

    def __init__(self) -> None:
        self._liquid = Liquid()
        self._message = lru_cache(maxsize=MESSAGES_KEPT_MAX)(self._compile)

    def text(self, source: str) -> CompiledText:
        """A text field of an action, ready to be filled in.

        :raises TemplateError: on a syntax error; names the line and the cause.
        """
        return self._liquid.compile(source)

    def message(self, template: Template) -> CompiledEmail | CompiledShortMessage:
        """A whole template, ready to be filled in.

        :raises TemplateError: on an error; names the part, the line and the cause.
        """
        return self._message(template)

    def _compile(self, template: Template) -> CompiledEmail | CompiledShortMessage:
        if template.channel != "email":
            return CompiledShortMessage(self._liquid, template.body)
        assert template.subject is not None
        return compile_email(
            self._liquid,
            subject=template.subject,
            preheader=template.preheader,
            body=template.body,
            format=template.format,
            text=template.text,
        )
