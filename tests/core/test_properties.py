"""What holds whatever the journeys are and whatever happens: every example is audited (see :mod:`tests.core.audit`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.random_flows import CONTACTS, Happening, flows, happenings
from tests.core.world import World

from journeyflow.core.local_time import in_window, zone
from journeyflow.core.values import Model

stories = st.lists(happenings, min_size=8, max_size=30)
# Six tenths of what the profile says: an example here costs as much as twenty elsewhere.
several = settings(
    max_examples=settings().max_examples * 6 // 10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def lived(documents: Sequence[Model], story: Sequence[Happening], *, stalls: bool = False) -> World:
    """A world in which all of it has happened; with stalls the engine is behind every third time."""
    world = World(*documents)
    for contact in CONTACTS:
        world.appear(contact, email=f"{contact}@shop.example", n=1)
    for place, one in enumerate(story):
        if stalls and place % 3 == 2:
            world.settle()
            world.now += timedelta(minutes=7)
        else:
            world.after(one.after)
        one.do(world)
    return world.after("30h").settle()


@several
@given(flows, stories)
def test_every_walk_ends_and_the_books_balance(documents: list[Model], story: list[Happening]) -> None:
    """Runs are gapless passages, effects happen once, counters agree, nobody is messaged after the end."""
    lived(documents, story).trail()


@several
@given(flows, stories)
def test_the_same_when_the_engine_is_behind(documents: list[Model], story: list[Happening]) -> None:
    lived(documents, story, stalls=True).trail()


@several
@given(flows, stories)
def test_the_same_input_gives_the_same_trail(documents: list[Model], story: list[Happening]) -> None:
    one, other = lived(documents, story), lived(documents, story)

    assert one.trail() == other.trail()
    assert one.messages() == other.messages()
    assert one.statistics() == other.statistics()


@several
@given(flows, stories)
def test_contacts_do_not_touch_each_other(documents: list[Model], story: list[Happening]) -> None:
    """Without the other the trail of one is the same; only addresses belong to whoever has them."""
    story = [one for one in story if "@" not in one.what]
    alone = [one._replace(do=lambda world: None) if one.contact == "bob" else one for one in story]

    assert lived(documents, story).trail("ann") == lived(documents, alone).trail("ann")


@several
@given(flows, stories)
def test_no_marketing_message_is_queued_when_it_may_not_be(documents: list[Model], story: list[Happening]) -> None:
    world = lived(documents, story)
    workspace = world.library.workspace

    for message in world.messages():
        if message.status != "queued":
            assert message.reason is not None
            continue
        assert message.to is not None
        assert message.channel != "email" or "@" in message.to
        hours = workspace.quiet_hours
        if (
            hours is not None
            and not message.transactional
            and "timezone" not in world.contact(message.contact).attributes
        ):
            assert not in_window(message.queued_at, zone(workspace.timezone), hours.from_, hours.to)
