"""The one place that builds things from settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from sqlalchemy import Connection, Engine

from journeyflow.clock import Clock, now
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.errors import InvalidValue
from journeyflow.db import documents
from journeyflow.db.coupons import CodeFactory
from journeyflow.db.documents import FlowsCache
from journeyflow.db.schema_version import is_current
from journeyflow.db.store import one_at_a_time, open_engine, write
from journeyflow.services import keys
from journeyflow.services.keys import Key, Scope
from journeyflow.services.tokens import Signer
from journeyflow.settings import Settings

if TYPE_CHECKING:
    from journeyflow.channels.outlet import Outlet
    from journeyflow.channels.webhook import WebhookChannel
    from journeyflow.rendering.renderer import LiquidRenderer
    from journeyflow.services.dispatch import Postmaster
    from journeyflow.services.letters import Letters


FIRST_START: Final = "first start"


@dataclass
class Installation:
    """Everything that works on one database.

    What renders and sends is made, and loaded, when it is first wanted: most commands only read.
    """

    settings: Settings
    engine: Engine
    clock: Clock
    signer: Signer
    codes: CodeFactory
    links: str
    """What links in messages begin with: as the settings say, else as the last server on this database did."""
    follows_servers: bool
    """Whether links go along when such a server has another address."""

    @cached_property
    def renderer(self) -> LiquidRenderer:
        """The template language."""
        from journeyflow.rendering.renderer import LiquidRenderer

        return LiquidRenderer()

    @cached_property
    def cache(self) -> FlowsCache:
        """The flows for the engine."""
        return FlowsCache(self.renderer)

    @cached_property
    def letters(self) -> Letters:
        """What messages say."""
        from journeyflow.services.letters import Letters

        return Letters(self.renderer, self.signer, self.links, follows_servers=self.follows_servers)

    @cached_property
    def postmaster(self) -> Postmaster:
        """Who picks messages up."""
        from journeyflow.services.dispatch import Postmaster

        return Postmaster(FlowsCache(self.renderer), self.letters)

    def make_code(self, connection: Connection, pool: CouponPool, contact: str) -> str | None:
        """A fresh coupon code."""
        return self.codes.make(connection, pool, contact)

    @contextmanager
    def first_keys(self) -> Iterator[list[tuple[str, str]]]:
        """The (scope, key) that a first start makes, to be shown inside the block.

        They come into force when the block ends: a process that dies before has made none, and the next start does.
        """
        with write(self.engine) as connection:
            one_at_a_time(connection, FIRST_START)
            yield _first_keys(connection, self.settings, self.clock)

    def revoke_former_keys(self) -> list[Key]:
        """Revoke the keys that the settings gave before they gave others, and say which.

        For who serves: a command that is called elsewhere may not have all the settings.
        """
        with write(self.engine) as connection:
            one_at_a_time(connection, FIRST_START)
            gone = _gone_from_settings(connection, self.settings)
            for one in gone:
                keys.revoke(connection, one.id, self.clock())
        return gone

    def keep_links(self) -> None:
        """Let links lead to where this process serves, also those of whoever has no base URL beside it.

        What was set once is not replaced by where somebody happens to serve for a while.
        """
        self.links, self.follows_servers = self.settings.links, False
        with write(self.engine) as connection:
            documents.keep_links(connection, self.links, given=self.settings.base_url is not None)

    def webhooks(self) -> WebhookChannel:
        """What makes calls, as the settings say.

        :raises InvalidValue: when the secret is none.
        """
        from journeyflow.channels.webhook import WebhookChannel

        return WebhookChannel(webhook_secret(self.settings), self.settings.webhook_private_hosts)

    def outlet(self) -> Outlet:
        """What hands messages over, as the settings say; nothing is connected yet.

        :raises InvalidValue: when a setting means no channel; names the setting.
        """
        return open_outlet(self.settings)


def open_outlet(settings: Settings) -> Outlet:
    """See :meth:`Installation.outlet`."""
    from journeyflow.channels.factory import open_channel, open_short_channel
    from journeyflow.channels.outlet import Outlet

    with _naming("EMAIL_URL"):
        email = open_channel(settings.email_url.get_secret_value())
    with _naming("SMS_URL"):
        sms = open_short_channel(settings.sms_url.get_secret_value())
    with _naming("PUSH_URL"):
        push = open_short_channel(settings.push_url.get_secret_value())
    return Outlet(email, sms, push)


def webhook_secret(settings: Settings) -> bytes | None:
    """What signs calls of webhooks, where something does.

    :raises InvalidValue: when the setting is none.
    """
    from journeyflow.channels.webhook import read_secret

    if settings.webhook_secret is None:
        return None
    with _naming("WEBHOOK_SECRET"):
        return read_secret(settings.webhook_secret.get_secret_value())


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    """Name the setting in what the work inside finds wrong with its value."""
    try:
        yield
    except InvalidValue as error:
        raise InvalidValue(f"JOURNEYFLOW_{setting}: {error}") from None


def open_installation(settings: Settings, clock: Clock = now) -> Installation:
    """Open the database, bring it to the newest schema, and make what a first start needs, but for the keys.

    :raises SystemFailure: when the database can't be opened.
    :raises InvalidValue: when a setting makes no sense.
    """
    engine = open_engine(settings.database_url)
    if not is_current(engine):
        from journeyflow.db.migrations import migrate

        migrate(engine)
    return installation_on(engine, settings, clock)


def installation_on(engine: Engine, settings: Settings, clock: Clock) -> Installation:
    """The same on a database that is open, and has the newest schema."""
    with write(engine) as connection:
        one_at_a_time(connection, FIRST_START)
        secret = _secret(connection, settings)
        follows = settings.base_url is None
        links = documents.links(connection) if follows else None
    return Installation(settings, engine, clock, Signer(secret), CodeFactory(secret), links or settings.links, follows)


def _secret(connection: Connection, settings: Settings) -> bytes:
    """What signs links: the setting, else what the first start made."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    kept = documents.setting(connection, "secret_key")
    if kept is None:
        kept = token_urlsafe(32)
        documents.set_setting(connection, "secret_key", kept)
    return kept.encode()


def _first_keys(connection: Connection, settings: Settings, clock: Clock) -> list[tuple[str, str]]:
    """On first start an admin key and a write key; given ones are made known whenever they are not yet."""
    made: list[tuple[str, str]] = []
    fresh = not keys.listed(connection)
    for scope, secret in _given(settings).items():
        if secret is not None and keys.find(connection, secret) is None:
            keys.create(connection, scope, keys.FROM_SETTINGS, clock(), secret)
            made.append((scope, secret))
        elif secret is None and fresh:
            made.append((scope, keys.create(connection, scope, "first start", clock())))
    return made


def _given(settings: Settings) -> dict[Scope, str | None]:
    given: dict[Scope, SecretStr | None] = {"admin": settings.admin_key, "write": settings.write_key}
    return {scope: None if one is None else one.get_secret_value() for scope, one in given.items()}


def _gone_from_settings(connection: Connection, settings: Settings) -> list[Key]:
    """The keys in force that the settings gave, where they give another one by now.

    A setting that is not there takes nothing back: it may have been given once, for the first start.
    """
    given = {scope: keys.find(connection, secret) for scope, secret in _given(settings).items() if secret is not None}
    kept = {one.id for one in given.values() if one is not None}
    ours = [one for one in keys.listed(connection) if one.name == keys.FROM_SETTINGS and one.revoked_at is None]
    return [one for one in ours if one.scope in given and one.id not in kept]
