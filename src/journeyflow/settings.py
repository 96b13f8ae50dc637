"""What an operator can set: environment variables ``JOURNEYFLOW_...``, or ``journeyflow.toml`` (interfaces.md)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

KEY_LENGTH_MAX: Final = 500
KEY_LENGTH_SAFE: Final = 16
"""A shorter key is found by who tries many."""


def _demand_key(given: SecretStr) -> SecretStr:
    secret = given.get_secret_value()
    if not secret:
        raise ValueError("expected text that is not empty")
    if len(secret) > KEY_LENGTH_MAX:
        raise ValueError(f"expected at most {KEY_LENGTH_MAX} characters")
    if not all(sign.isprintable() and not sign.isspace() for sign in secret):
        raise ValueError("expected a key without blanks and control characters")
    return given


KeySecret = Annotated[SecretStr, AfterValidator(_demand_key)]
"""A key as a request can carry it."""


class Settings(BaseSettings):
    """The settings of one process; the environment wins over ``journeyflow.toml`` in the working directory."""

    model_config = SettingsConfigDict(env_prefix="JOURNEYFLOW_", toml_file="journeyflow.toml", extra="ignore")

    database_url: str = Field(
        default="journeyflow.db",
        description="SQLite: a path, or sqlite:///path; or postgresql://user:password@host/database",
    )
    host: str = Field(default="127.0.0.1", description="the address that serve listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="the port that serve listens on")
    admin_key: KeySecret | None = Field(default=None, description="the admin key, not made on first start")
    write_key: KeySecret | None = Field(default=None, description="the write key, not made on first start")
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="signs links in messages; else made on first start and kept in the database",
    )
    base_url: str | None = Field(
        default=None, description="what links in messages begin with; else http://HOST:PORT of serve"
    )
    email_url: SecretStr = Field(
        default=SecretStr("mailbox://"),
        description="smtp://user:pass@host:587?tls=starttls, or mailbox:// (sends nothing)",
    )
    sms_url: SecretStr = Field(default=SecretStr("mailbox://"), description="mailbox:// (sends nothing)")
    push_url: SecretStr = Field(default=SecretStr("mailbox://"), description="mailbox:// (sends nothing)")
    webhook_secret: SecretStr | None = Field(
        default=None, description="signs calls of webhooks (Standard Webhooks): whsec_ and 24 to 64 bytes in base64"
    )
    webhook_private_hosts: Literal["written", "always", "never"] = Field(
        default="written",
        description="which hosts webhooks may call at addresses that are not public: those written in the document",
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="the port that worker answers /metrics, /healthz and /readyz on"
    )
    ready_lag_seconds: float = Field(
        default=60, gt=0, description="/readyz says no when what is due has waited for longer"
    )
    inbox_lag_seconds_max: float = Field(
        default=3600, ge=0, description="events are refused (503) when the oldest input has waited for longer; 0: never"
    )
    inbox_inputs_max: int = Field(
        default=1_000_000, ge=0, description="events are refused (503) when so many inputs wait; 0: never"
    )
    log_format: Literal["text", "json"] = Field(default="text", description="how log lines are written")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least level logged"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def guessable_keys(self) -> list[str]:
        """What to say of each key of one's own that is too short to be safe."""
        return [
            f"JOURNEYFLOW_{name.upper()} has fewer than {KEY_LENGTH_SAFE} characters and can be guessed"
            for name in ("admin_key", "write_key")
            if (key := getattr(self, name)) is not None and len(key.get_secret_value()) < KEY_LENGTH_SAFE
        ]

    @property
    def links(self) -> str:
        """What links in messages begin with where this process serves, without a slash at the end."""
        return (self.base_url or f"http://{self.host}:{self.port}").rstrip("/")
