"""What a run brings along to the newest version of its journey (semantics, rule 8.4): more than where it stands."""

from __future__ import annotations

from datetime import timedelta

from tests.core.test_chapter_8 import ANN
from tests.core.test_chapter_8_migrate import journey, steps, waiting
from tests.core.world import World, flow


def test_rule_8_4_a_wait_that_is_over_in_a_pause_was_over_when_it_would_have_been() -> None:
    """The length of the pause is added to the end of the wait, not to the instant of the migration."""
    world = World(waiting("20d")).track("ann", "Go").after("2d").pause("walk").after("7d")
    world.publish(waiting("8d")).migrate("walk").after("1d").resume("walk", "shift")

    assert world.story()[-1] == ("waiting", "pause", "2026-03-18T09:00Z")
    assert world.after("20d").times("completed") == ["2026-03-18T09:00Z"]


def test_rule_8_4_what_was_over_when_all_went_over_comes_before_what_happens_afterwards() -> None:
    def sending(length: str) -> str:
        nodes = f"pause: {{type: wait, for: {length}, next: mail}}\nmail: {{type: email, template: letter, next: rest}}"
        return flow(f"{nodes}\nrest: {{type: wait, for: 1d}}", "exit_on: [{event: Bought}]")

    world = World(sending("5d")).appear("ann", email=ANN).track("ann", "Go").after("2d").publish(sending("1d"))
    world.begin_migration("walk")
    world.now += timedelta(milliseconds=600)
    world.track("ann", "Bought", arrived="2026-03-04T09:00:00.3Z")

    assert [step[0] for step in steps(world)] == ["moved", "resumed", "message", "waiting", "exited", "message"]


def test_rule_8_4_who_waits_in_spite_of_a_match_goes_on_doing_so() -> None:
    """Rule 4.9: the run came back at once, and nothing has changed since."""

    def loop(name: str) -> str:
        look = "look: {type: wait_for, timeout: 30d, cases: [{when: {tag: vip}, next: mail}]}"
        return flow(f"{look}\nmail: {{type: email, template: letter, next: look}}", f"name: {name}")

    world = World(loop("one")).appear("ann", "vip", email=ANN).track("ann", "Go").after("25h")
    assert len(world.messages()) == 1
    world.publish(loop("two")).migrate("walk").after("1h")

    assert len(world.messages()) == 1
    assert world.run().version == 2


def test_rule_8_4_a_wait_until_a_time_of_day_that_was_just_that_time_gets_another_name() -> None:
    def daily(name: str) -> str:
        wait = f"{name}: {{type: wait, until_time: {{at: '09:00'}}, next: mail}}"
        return journey(f"{wait}\nmail: {{type: email, template: letter, next: {name}}}")

    world = World(daily("daily")).appear("ann", email=ANN).track("ann", "Go").after("1d")
    sent = len(world.messages())
    world.publish(daily("everyday")).migrate("walk", daily="everyday").after("1h")

    assert len(world.messages()) == sent
    assert len(world.after("1d").messages()) == sent + 1


COUPONS = (
    "---\n{template: offer, subject: Hi, body: 'Your code: {{ vars.coupon.code }}!'}\n",
    "---\ncoupon_pool: summer\ncodes: uploaded\n",
)


def giving(name: str) -> str:
    wait = "pause: {type: wait, for: 3d, next: mail}\nmail: {type: email, template: offer, transactional: true}"
    return flow(f"{name}: {{type: coupon, pool: summer, next: pause}}\n{wait}")


def test_rule_8_4_a_code_that_was_not_there_is_missing_under_the_new_name_of_its_node() -> None:
    world = World(*COUPONS, giving("gift")).appear("ann", email=ANN)
    world.memory.empty.add("summer")
    world.track("ann", "Go").after("1d").publish(giving("present")).migrate("walk", gift="present").after("3d")

    assert [(message.status, message.reason) for message in world.messages()] == [("skipped", "no_coupon")]


def test_rule_8_4_a_message_that_waits_goes_before_another_one_that_is_on_hold() -> None:
    night = "---\n{workspace: default, quiet_hours: {from: '21:00', to: '08:00'}}\n---\n"

    def mailing(name: str, hold: str = "") -> str:
        return journey(f"{name}: {{type: email, template: letter, next: mark{hold}}}")

    world = World(night, mailing("mail")).appear("ann", email=ANN).at("22:00").track("ann", "Go").after("1h")
    world.publish(mailing("other", ", hold: true")).migrate("walk", mail="other").after("2d")

    assert world.messages() == []
    assert world.story()[-1] == ("waiting", "other", "for ever", "hold")
    world.publish(mailing("other")).after("12h")
    assert [message.node for message in world.messages()] == ["other"]


def test_rule_8_4_who_was_on_hold_and_has_a_place_in_a_spread_keeps_it() -> None:
    def mailing(hold: str) -> str:
        return journey(f"mail: {{type: email, template: letter, next: mark{hold}}}")

    world = World(mailing(", hold: true")).appear("ann", email=ANN).track("ann", "Go").after("1d").pause("walk")
    world.publish(mailing("")).after("1d").end_pause("walk", "over", "10d").track("ann", "Other")
    place = world.run().due_at
    assert place is not None
    world.after("1m").publish(mailing("").replace("[done]", "[new]")).migrate("walk")

    assert world.messages() == []
    world.after("10d")
    assert [message.queued_at for message in world.messages()] == [place]


def test_rule_8_4_who_was_moved_back_by_hand_before_the_others_have_gone_stays_there() -> None:
    world = World(waiting("5d")).publish(waiting("7d")).track("ann", "Go").after("1d").begin_migration("walk")
    world.after("1h").move("ann", world.run().id, "pause", 1).after("1h")

    assert world.run().version == 1
    assert len(world.details("moved")) == 1


def test_rule_8_4_nobody_completes_on_a_paused_journey() -> None:
    def dated(day: str) -> str:
        return flow(f"pause: {{type: wait, until: {{attribute: {day}}}}}")

    world = World(dated("soon")).appear("ann", soon="2026-03-03T09:00:00Z", sooner="2026-03-02T12:00:00Z")
    world.track("ann", "Go").pause("walk").after("2d").publish(dated("sooner")).migrate("walk").after("1d")

    assert world.run().active
    assert world.resume("walk").story()[-1] == ("completed",)


def test_rule_8_4_a_message_that_a_pause_held_without_an_instant_goes_out_afterwards() -> None:
    """As an older release left it."""
    night = "---\n{workspace: default, quiet_hours: {from: '21:00', to: '08:00'}}\n---\n"
    mail = journey("mail: {type: email, template: letter, next: mark}")
    world = World(night, mail).appear("ann", email=ANN).at("22:00").track("ann", "Go").pause("walk").after("1d")
    world.run().held_at = None
    world.publish(mail).migrate("walk").after("1m").resume("walk").after("12h")

    assert [message.status for message in world.messages()] == ["queued"]
