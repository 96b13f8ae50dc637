"""Settings as the command line needs them: with its options on top, and errors that name the setting."""

from __future__ import annotations

import os
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, Any

from journeyflow.core.errors import InvalidValue

if TYPE_CHECKING:
    from journeyflow.settings import Settings

PREFIX = "JOURNEYFLOW_"


def load_settings(**given: object) -> Settings:
    """The settings; those that are given and not ``None`` win over the environment and ``journeyflow.toml``.

    :raises InvalidValue: naming each setting that makes no sense.
    """
    from pydantic import ValidationError

    from journeyflow.services.plain_words import plain_words
    from journeyflow.settings import Settings

    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}  # Any: of many types
    try:
        return Settings(**options)
    except ValidationError as error:
        lines = [f"{PREFIX}{str(one['loc'][0]).upper()}: {plain_words(one, None)}" for one in error.errors()]
        raise InvalidValue("\n".join(["a setting makes no sense", *lines])) from None
    except TOMLDecodeError as error:
        raise InvalidValue(f"journeyflow.toml can't be read: {error}") from None
    except OSError as error:
        raise InvalidValue(f"journeyflow.toml can't be read: {error.strerror}") from None


def from_environment(name: str) -> str | None:
    """The environment variable of a setting, whose name is not case-sensitive."""
    wanted = f"{PREFIX}{name}".upper()
    return next((variable for variable in os.environ if variable.upper() == wanted), None)
