"""Log lines on standard error: structlog's own, and those of the libraries."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

Form = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]


def configure(form: Form, level: Level, *, tracebacks: bool) -> None:
    """Log what journeyflow has to say from ``level`` on; of an error its line, or with ``tracebacks`` all of it."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_shared(form, tracebacks), _renderer(form)],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        # Asked for each time: what stands there may be replaced.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def take_over(form: Form, level: Level) -> None:
    """Write the log lines of the libraries in the same form; they tell of their own affairs, so from warning on."""
    handler = logging.StreamHandler(sys.stderr)
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form)]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_shared(form, tracebacks=True), processors=last)
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(_number(level), logging.WARNING))


def _number(level: Level) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _shared(form: Form, tracebacks: bool) -> list[Processor]:
    found: list[Processor] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso")]
    if not tracebacks:
        found.append(_shorten_error)
    elif form == "json":
        found.append(structlog.processors.format_exc_info)
    return found


def _renderer(form: Form) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer()
    # Plain: the pretty form shows the values of variables, and keys and addresses do not belong in a log.
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)


def _shorten_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__name__}: {error}"
    return event
