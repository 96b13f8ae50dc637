"""The error tree of journeyflow.

JourneyflowError
├── InvalidInput          what a person or a program gave is wrong; nothing was changed
│   ├── InvalidDocuments  a folder of documents has errors; all of them are listed
│   ├── InvalidValue      one value can't be read (a duration, a path, an instant)
│   ├── InvalidEvent      one event can't be taken; names the field
│   └── InvalidMap        a map of nodes is wrong, or lacks entries; all of them are listed
├── NotFound              the thing named does not exist
├── Conflict              the state of the thing does not allow it (archived, changed meanwhile)
├── NotAllowed            the key does not permit this
├── Overloaded            try again later; nothing was stored
│   ├── Busy              of this so many go on at a time
│   └── Behind            the engine has too much to do already
├── TemplateError         a template can't be compiled, or failed while filling in
├── DeliveryError         a channel could not hand a message over
│   ├── Refused           for good: never try again
│   └── Unavailable       not now: try again
├── UnknownForm           what is stored was published by a release that takes what this one refuses
└── SystemFailure         database away, disk full, a second engine on one database
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class JourneyflowError(Exception):
    """Something journeyflow can name went wrong."""


class InvalidInput(JourneyflowError):
    """What was given is wrong; nothing was changed."""


class InvalidValue(InvalidInput):
    """A value can't be read as what it should be."""


class InvalidEvent(InvalidInput):
    """An event can't be taken.

    :param field: path of the offending field inside the request, such as ``batch[3].timestamp``.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidMap(InvalidInput):
    """A map from nodes to nodes is wrong, or lacks entries.

    :param parts: by the place of an entry, such as ``map.first``, what is wrong with it, or that it is missing.
    """

    def __init__(self, parts: Mapping[str, str]) -> None:
        told = [f"{place}: {message}" for place, message in parts.items()]
        first = [] if len(told) == 1 else [f"{len(told)} entries of the map are wrong or missing"]
        super().__init__("\n".join([*first, *told]))
        self.parts = dict(parts)


class NotFound(JourneyflowError):
    """What was named does not exist."""


class Conflict(JourneyflowError):
    """The present state does not allow this."""


class NotAllowed(JourneyflowError):
    """The key does not permit this."""


class Overloaded(JourneyflowError):
    """Too much at once; nothing was stored, try again later."""


class Behind(Overloaded):
    """The engine is too far behind to take more; nothing was stored, try again later."""


class Busy(Overloaded):
    """So many of these as may go on at a time do so already."""


class TemplateError(JourneyflowError):
    """A template can't be compiled, or failed while it was filled in.

    :param line: of the text, from 1, where it is known.
    :param part: of the template: ``subject``, ``preheader``, ``body`` or ``text``.
    :param others: what is wrong in other parts of the same template.
    """

    def __init__(
        self, cause: str, line: int | None = None, part: str | None = None, others: Sequence[TemplateError] = ()
    ) -> None:
        self.located = cause if line is None else f"line {line}: {cause}"
        super().__init__(self.located if part is None else f"{part}: {self.located}")
        self.cause = cause
        self.line = line
        self.part = part
        self.others = tuple(others)

    def within(self, part: str) -> TemplateError:
        """The same, of that part of a template."""
        return TemplateError(self.cause, self.line, part)


class DeliveryError(JourneyflowError):
    """A channel could not hand a message over."""


class Refused(DeliveryError):
    """The receiving side refused the message for good."""


class Undeliverable(Refused):
    """The receiving side knows that there is no such address, whatever is sent to it."""


class Unavailable(DeliveryError):
    """The receiving side can't take the message now."""


class SystemFailure(JourneyflowError):
    """The system, not what it was given, failed."""


class UnknownForm(JourneyflowError):
    """A stored document was taken by another release; this one refuses it."""
