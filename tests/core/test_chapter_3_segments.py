"""Segments: who is in them, when that changes, and what it fires (rules 2.7, 3.5 and 3.7). 2 March 2026 is a Monday."""

from __future__ import annotations

import pytest
from tests.core.world import World, flow, instant, read, short

from journeyflow.core.inputs import Event
from journeyflow.core.segment import Segment
from journeyflow.core.standing import standing_of
from journeyflow.core.values import JSON
from journeyflow.core.workspace import Workspace

ACTIVE = "segment: active\nwhen: {event: Seen, within: 1h}\n---\n"
VIP = "segment: vip\nwhen: {tag: vip}\n---\n"
NOTE = "note: {type: tag, add: [noted]}"


def entered(segment: str, more: str = "") -> str:
    return f"{{type: segment, entered: {segment}{more}}}"


def moves(world: World, contact: str = "ann") -> list[tuple[str, JSON, str]]:
    """Every change of segments and stages: the event, its segment or stage, and when."""
    world.settle()
    return [
        (one.name, one.properties.get("segment", one.properties.get("to")), short(one.handled_at))
        for effects in world.effects
        for one in effects.events
        if one.contact == contact and one.name in ("Segment Entered", "Segment Left", "Stage Changed")
    ]


def edit(world: World, document: str) -> World:
    """Publish a new definition of a segment."""
    world.settle()
    (segment,) = read(document)
    assert isinstance(segment, Segment)
    world.documents.segments[segment.segment] = segment
    world.library = world.documents.library(world.library.renderer)
    return world._look_again()


# --- membership ------------------------------------------------------------------------------------------------------


def test_rule_3_7_an_event_brings_a_contact_in_and_time_takes_it_out_at_the_exact_instant() -> None:
    world = World(ACTIVE, flow(NOTE, trigger=entered("active")))
    world.appear("ann")

    world.after("10m").track("ann", "Seen").after("3h")

    assert moves(world) == [
        ("Segment Entered", "active", "2026-03-02T09:10Z"),
        ("Segment Left", "active", "2026-03-02T10:10Z"),
    ]
    assert world.details("entered") == [{"trigger": 0, "properties": {"segment": "active"}}]


def test_rule_3_7_activity_in_the_second_in_which_the_window_ends_keeps_the_contact_in() -> None:
    world = World(ACTIVE)
    world.appear("ann").track("ann", "Seen").after("1h").track("ann", "Seen").after("5h")

    assert moves(world) == [
        ("Segment Entered", "active", "2026-03-02T09:00Z"),
        ("Segment Left", "active", "2026-03-02T11:00Z"),
    ]


def test_rule_3_5_who_leaves_a_segment_may_be_let_in_by_it() -> None:
    world = World(ACTIVE, flow(NOTE, trigger="{type: segment, left: active}"))
    world.appear("ann").track("ann", "Seen").after("2h")

    assert world.times("entered") == ["2026-03-02T10:00Z"]
    assert world.details("entered") == [{"trigger": 0, "properties": {"segment": "active"}}]


def test_rule_3_7_what_is_published_later_fires_nothing_and_so_does_an_edit() -> None:
    world = World(VIP)
    world.appear("ann", "vip").appear("bob")
    edit(world, "segment: vip\nwhen: {not: {tag: vip}}\n")

    assert moves(world) == []
    assert moves(world, "bob") == []
    world.untag("ann", "vip")
    assert moves(world) == [("Segment Entered", "vip", "2026-03-02T09:00Z")]


def test_rule_3_7_editing_a_segment_that_another_refers_to_fires_nothing_either() -> None:
    world = World(VIP, "segment: rest\nwhen: {not: {segment: vip}}\n")
    world.appear("ann", "vip")
    edit(world, "segment: vip\nwhen: {tag: gold}\n")

    assert moves(world) == []
    world.tag("ann", "gold")
    assert moves(world) == [
        ("Segment Left", "rest", "2026-03-02T09:00Z"),
        ("Segment Entered", "vip", "2026-03-02T09:00Z"),
    ]


def test_rule_3_7_an_edited_definition_is_judged_before_the_next_input_is_handled() -> None:
    """What changed by the input is seen against the new definition, not against the old one."""
    world = World(VIP)
    world.appear("ann", "gold").settle()
    world.documents.segments["vip"] = Segment.model_validate({"segment": "vip", "when": {"tag": "gold"}})
    world.library = world.documents.library(world.library.renderer)
    world.flows = world._flows()

    world.untag("ann", "gold")

    assert moves(world) == [("Segment Left", "vip", "2026-03-02T09:00Z")]


def test_rule_1_6_a_contact_that_comes_into_being_was_in_no_segment_before() -> None:
    world = World("segment: plain\nwhen: {not: {tag: vip}}\n")
    world.track("ann", "Seen").appear("bob")

    assert [name for name, _ in world.made()] == ["Seen", "Contact Created", "Segment Entered"]
    assert moves(world, "bob") == [], "bob was there before anybody asked"


def test_rule_1_11_imports_move_nobody() -> None:
    world = World(ACTIVE, flow(NOTE, trigger=entered("active")))
    world.appear("ann").track("ann", "Seen", imported=True).after("2h").tag("ann", "x", imported=True)

    assert moves(world) == [("Segment Left", "active", "2026-03-02T10:00Z")]


def test_a_late_event_that_is_in_the_window_counts() -> None:
    world = World(ACTIVE)
    world.appear("ann").after("1h").track("ann", "Seen", occurred="2026-03-02T09:30Z").after("2h")

    assert moves(world) == [
        ("Segment Entered", "active", "2026-03-02T10:00Z"),
        ("Segment Left", "active", "2026-03-02T10:30Z"),
    ]


def test_rule_2_7_the_events_of_one_step_come_in_their_order() -> None:
    """Contact, attributes, tags, then stage, then segments by id; what the next node changes comes after all that."""
    stages = "workspace: shop\nstages:\n  - {id: new, when: {all: []}}\n  - {id: rich, when: {tag: rich}}\n---\n"
    segments = "segment: b-rich\nwhen: {tag: rich}\n---\nsegment: a-known\nwhen: {attribute: plan, eq: gold}\n---\n"
    world = World(
        stages,
        segments,
        flow("""
            label: {type: tag, add: [rich, kept], next: plan}
            plan: {type: update, set: {plan: gold}}
        """),
    )
    world.appear("ann").settle()
    world.track("ann", "Go")

    assert [(name, *properties.values()) for name, properties in world.made()][1:] == [
        ("Tag Added", "rich"),
        ("Tag Added", "kept"),
        ("Stage Changed", "new", "rich"),
        ("Segment Entered", "b-rich"),
        ("Contact Updated", "plan", None, "gold"),
        ("Segment Entered", "a-known"),
    ]


def test_a_segment_means_the_same_wherever_it_is_asked() -> None:
    """A journey's time zone is the journey's; a segment's hours are the contact's, or the workspace's."""
    world = World(
        "segment: noon\nwhen: {local_time: {from: '12:00', to: '13:00'}}\n---\n",
        flow("look: {type: branch, cases: [{when: {segment: noon}, next: end}], else: end}", "timezone: Europe/Warsaw"),
        start="2026-03-02T11:30Z",
    )
    world.appear("ann").track("ann", "Go").after("40m").track("bob", "Go")

    assert [record.detail["case"] for record in world.trail() if record.kind == "ran"] == [None, 0]
    assert world.details("ran", "bob")[0]["because"] == [
        {"path": "nodes.look.cases[0].when", "leaf": {"segment": "noon"}, "value": True, "held": True}
    ]


def test_rule_4_6_a_wait_takes_its_case_when_a_segment_is_entered_by_time() -> None:
    world = World(
        "segment: quiet\nwhen: {event: Seen, within: 2h, count: {eq: 0}}\n---\n",
        flow("wait: {type: wait_for, cases: [{when: {segment: quiet}, next: end}], timeout: never}"),
    )
    world.appear("ann").track("ann", "Seen").track("ann", "Go").after("5h")

    assert world.times("resumed") == ["2026-03-02T11:00Z"]


def test_only_what_can_have_changed_is_asked() -> None:
    world = World(ACTIVE, VIP)
    world.appear("ann").track("ann", "Seen").settle()
    asked: list[str] = []
    before = world.memory.events
    world.memory.events = lambda contact, name, since: (asked.append(name), before(contact, name, since))[1]  # type: ignore[method-assign,func-returns-value]  # counts what is read
    world.track("ann", "Other").tag("ann", "vip").settle()

    assert asked == []
    world.track("ann", "Seen").settle()
    assert set(asked) == {"Seen"}


# --- members ---------------------------------------------------------------------------------------------------------


def test_include_members_lets_in_who_is_there_on_publishing_once() -> None:
    world = World(VIP)
    world.appear("ann", "vip").appear("bob").after("1d")
    world.publish(flow(NOTE, "reentry: {policy: always}", trigger=entered("vip", ", include_members: true")))
    world.after("1h").track("ann", "Seen").track("cid", "Seen").tag("cid", "vip")
    world.publish(flow(NOTE, "reentry: {policy: always}", trigger=entered("vip", ", include_members: true")))

    assert world.times("entered", "ann") == ["2026-03-03T09:00Z"]
    assert world.details("entered", "ann") == [{"trigger": 0, "properties": {"segment": "vip"}}]
    assert world.times("entered", "bob") == []
    assert world.times("entered", "cid") == ["2026-03-03T10:00Z"], "by entering, not as a member"


def test_without_it_nobody_who_is_there_already_is_let_in() -> None:
    world = World(VIP)
    world.appear("ann", "vip").settle()
    world.publish(flow(NOTE, trigger=entered("vip"))).after("1d")

    assert world.times("entered") == []


def test_include_silent_lets_in_who_is_silent_on_publishing_once_for_that_silence() -> None:
    trigger = "{type: inactivity, event: Seen, for: 3d, include_silent: true}"
    world = World()
    world.appear("ann").track("ann", "Seen").appear("bob").after("9d")
    world.publish(flow(NOTE, "reentry: {policy: always}", trigger=trigger)).after("1d")
    world.track("ann", "Seen").after("4d")

    assert world.times("entered") == ["2026-03-11T09:00Z", "2026-03-15T09:00Z"]
    assert world.details("entered")[0]["properties"] == {"event": "Seen", "last_at": "2026-03-02T09:00:00.000000Z"}
    assert world.times("entered", "bob") == [], "who has never been active is not silent"


# --- journeys --------------------------------------------------------------------------------------------------------


def test_been_in_a_journey_counts_from_the_last_time_the_contact_was_in_it() -> None:
    world = World(
        "segment: fresh\nwhen: {been_in_journey: walk, within: 3h}\n---\n",
        "segment: inside\nwhen: {in_journey: walk}\n---\n",
        "segment: ever\nwhen: {been_in_journey: walk}\n---\n",
        flow("pause: {type: wait, for: 1h}"),
    )
    world.appear("ann").track("ann", "Go").after("10h")

    assert moves(world) == [
        ("Segment Entered", "ever", "2026-03-02T09:00Z"),
        ("Segment Entered", "fresh", "2026-03-02T09:00Z"),
        ("Segment Entered", "inside", "2026-03-02T09:00Z"),
        ("Segment Left", "inside", "2026-03-02T10:00Z"),
        ("Segment Left", "fresh", "2026-03-02T13:00Z"),
    ]


def test_rule_4_6_a_wait_looks_again_when_another_journey_lets_the_contact_in() -> None:
    world = World(
        flow("wait: {type: wait_for, cases: [{when: {in_journey: other}, next: end}], timeout: never}"),
        flow("pause: {type: wait, for: 1h}", name="other", trigger="{type: event, event: Come}"),
    )
    world.track("ann", "Go").after("5m").track("ann", "Come")

    assert world.times("resumed") == ["2026-03-02T09:05Z"]
    assert world.details("resumed") == [{"by": "condition"}]


# --- consent ---------------------------------------------------------------------------------------------------------

OFFERS = "workspace: shop\ntopics: [{id: offers, name: Offers}, {id: news, name: News}]\n---\n"
GONE = "{type: topic, unsubscribed: offers}"
BACK = "{type: topic, subscribed: offers}"


def test_rule_5_8_an_incoming_unsubscription_fires_the_topic_trigger_and_no_second_event() -> None:
    world = World(OFFERS, flow(NOTE, trigger=GONE))
    world.appear("ann").track("ann", "Unsubscribed", topic="offers").track("ann", "Unsubscribed", topic="offers")

    assert world.details("entered") == [{"trigger": 0, "properties": {"topic": "offers"}}]
    assert world.details("refused") == [], "what changes nothing fires nothing"
    assert [name for name, _ in world.made() if name == "Unsubscribed"] == ["Unsubscribed"] * 2


def test_rule_5_8_without_a_topic_it_fires_for_each_topic_that_changed() -> None:
    world = World(
        OFFERS,
        flow(NOTE, trigger=GONE, name="offers-gone"),
        flow(NOTE, trigger="{type: topic, unsubscribed: news}", name="news-gone"),
    )
    world.appear("ann", email="ann@shop.example").topics("ann", news=False).after("1h")
    world.track("ann", "Unsubscribed")

    assert [(record.journey, short(record.at)) for record in world.trail() if record.kind == "entered"] == [
        ("news-gone", "2026-03-02T09:00Z"),
        ("offers-gone", "2026-03-02T10:00Z"),
    ]
    assert world.details("entered")[1]["properties"] == {"topic": "offers"}


def test_rule_2_7_consent_that_is_given_by_hand_fires_the_topic_trigger() -> None:
    world = World(OFFERS, flow(NOTE, trigger=BACK))
    world.appear("ann").topics("ann", offers=False).after("1m").topics("ann", offers=True)

    assert world.times("entered") == ["2026-03-02T09:01Z"]


def test_rule_1_11_an_old_unsubscription_lets_nobody_in_and_is_obeyed() -> None:
    world = World(OFFERS, flow(NOTE, trigger=GONE))
    world.appear("ann").put("ann", Event(world.now, "Unsubscribed", instant("2026-02-01T09:00Z"), {"topic": "offers"}))

    assert world.story() == []
    assert world.contact().topics == {"offers": False}


# --- stages ----------------------------------------------------------------------------------------------------------

STAGES = """
workspace: shop
stages:
  - {id: awareness, when: {all: []}}
  - {id: decision, when: {event: Checkout Started, within: 2h}}
  - {id: loyalty, when: {tag: loyal}}
---
"""


def test_a_contact_is_in_the_last_stage_whose_condition_holds() -> None:
    world = World(STAGES)
    world.appear("ann").track("ann", "Checkout Started").after("30m").tag("ann", "loyal").after("1m")
    world.untag("ann", "loyal").after("3h")

    assert [properties for name, properties in world.made() if name == "Stage Changed"] == [
        {"from": "awareness", "to": "decision"},
        {"from": "decision", "to": "loyalty"},
        {"from": "loyalty", "to": "decision"},
        {"from": "decision", "to": "awareness"},
    ]
    assert moves(world)[-1][2] == "2026-03-02T11:00Z"


def test_a_stage_that_a_node_set_stays_until_another_one_sets_one() -> None:
    world = World(
        STAGES,
        flow("set: {type: stage, to: decision, next: look}\nlook: {type: branch, cases: "
             "[{when: {attribute: stage, eq: decision}, next: end}]}"),
        flow("set: {type: stage, to: loyalty}", name="up", trigger="{type: event, event: Up}"),
    )  # fmt: skip
    world.appear("ann").track("ann", "Go").after("10h").tag("ann", "loyal").after("1h").track("ann", "Up")

    assert [properties for name, properties in world.made() if name == "Stage Changed"] == [
        {"from": "awareness", "to": "decision"},
        {"from": "decision", "to": "loyalty"},
    ]
    assert world.details("ran") == [{"to": "decision"}, {"case": 0, "because": [
        {"path": "nodes.look.cases[0].when", "leaf": {"attribute": "stage", "eq": "decision"},
         "value": "decision", "held": True}
    ]}, {"to": "loyalty"}]  # fmt: skip


def test_setting_the_stage_in_which_a_contact_is_makes_no_event() -> None:
    world = World(STAGES, flow("set: {type: stage, to: awareness}"))
    world.appear("ann").track("ann", "Go").track("ann", "Checkout Started")

    assert [name for name, _ in world.made() if name == "Stage Changed"] == []


def test_a_segment_may_ask_for_the_stage() -> None:
    world = World(STAGES, "segment: deciding\nwhen: {attribute: stage, eq: decision}\n")
    world.appear("ann").track("ann", "Checkout Started").after("5h")

    assert moves(world) == [
        ("Stage Changed", "decision", "2026-03-02T09:00Z"),
        ("Segment Entered", "deciding", "2026-03-02T09:00Z"),
        ("Stage Changed", "awareness", "2026-03-02T11:00Z"),
        ("Segment Left", "deciding", "2026-03-02T11:00Z"),
    ]


@pytest.mark.parametrize("key", ["contact_wants", "thoughts", "feelings", "barriers", "opportunities"])
def test_the_words_of_the_map_are_texts_or_lists(key: str) -> None:
    for words in ("one", "[one, two]"):
        assert read(f"workspace: shop\nstages: [{{id: new, name: New, when: {{all: []}}, {key}: {words}}}]\n")


def test_without_anything_to_ask_nothing_is_kept() -> None:
    world = World(flow(NOTE))
    world.track("ann", "Go")

    contact = world.contact()
    assert (contact.segments, contact.stage, contact.seen_at) == ({}, None, None)


# --- what a definition is known by -----------------------------------------------------------------------------------

ASLEEP = Segment.model_validate(
    {"segment": "asleep", "when": {"message": {"channel": "email", "last": 5}, "opened": {"eq": 0}}}
)
TAGGED = Segment.model_validate({"segment": "tagged", "when": {"tag": "vip"}})


@pytest.mark.parametrize(
    ("more", "tracked"),
    [
        ({"tracking": {"opens": False}}, None),
        ({"retention": {"messages": "30d"}}, None),
        ({}, {"template:hello": {"opens": False}}),
        ({}, {"journey:welcome": {"clicks": False}}),
    ],
)
def test_what_conditions_on_messages_are_read_by_is_part_of_their_definition(
    more: dict[str, JSON], tracked: JSON
) -> None:
    """Who was judged by other settings has not been judged yet: silently, before the next input (rule 3.7)."""
    segments = {"asleep": ASLEEP, "tagged": TAGGED}
    before = standing_of(Workspace(workspace="shop"), segments, {})

    after = standing_of(Workspace.model_validate({"workspace": "shop", **more}), segments, tracked or {})

    assert {key.partition(":")[0] for key in after.segment_keys - before.segment_keys} == {"asleep"}
