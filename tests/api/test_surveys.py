"""The page behind the links of a survey."""

from __future__ import annotations

import re
from html import unescape

import pytest
from tests.api.shop import JOURNEY, TEMPLATE, WORKSPACE, JSONObject, Shop

SURVEY: JSONObject = {
    "survey": "taste",
    "question": "What do you <drink>?",
    "choices": [
        {"id": "tea", "label": "Tea", "tag": "likes-tea"},
        {"id": "coffee", "label": "Coffee & more", "tag": "likes-coffee", "set": {"favourite": "coffee"}},
    ],
}


@pytest.fixture
def ann(shop: Shop) -> Shop:
    """A shop that has asked Ann what she drinks."""
    shop.publish(WORKSPACE, SURVEY, TEMPLATE | {"body": '<p>{% survey "taste" %}</p>'}, JOURNEY)
    shop.identify("ann", email="ann@example.com")
    shop.track("ann", "Signed Up")
    return shop


def links(shop: Shop, message: int = 0) -> dict[str, str]:
    """The path of the link of each answer in one of Ann's messages, by its label."""
    reader = shop.client("read")
    id_ = reader.get("/v1/messages", params={"contact": "ann"}).json()["items"][message]["id"]
    html = reader.get(f"/v1/messages/{id_}").json()["html"]
    found = re.findall(r'href="https://shop\.example(/s/[\w-]+)"[^>]*>([^<]+)</a>', html)
    return {unescape(label): path for path, label in found}


def answers(shop: Shop) -> list[JSONObject]:
    shop.settle()
    found = shop.client("read").get("/v1/contacts/ann/timeline").json()["items"]
    events = [one["event"] for one in reversed(found) if one["kind"] == "event"]
    return [one["properties"] for one in events if one["name"] == "Survey Answered"]


def own_address(text: str) -> str:
    """Where the buttons of the page send."""
    found = re.search(r'action="([\w-]+)"', text)
    assert found is not None
    return f"/s/{found[1]}"


def test_each_answer_has_a_link(ann: Shop) -> None:
    assert list(links(ann)) == ["Tea", "Coffee & more"]


def test_the_link_gives_the_answer_and_the_page_says_thanks(ann: Shop) -> None:
    answer = ann.visitor().get(links(ann)["Tea"])

    assert answer.status_code == 200
    assert "<h1>Thank you</h1>" in answer.text
    assert "What do you &lt;drink&gt;?" in answer.text
    assert "<strong>Tea</strong>" in answer.text
    assert '<button type="submit" name="answer" value="coffee" class="second">Coffee &amp; more</button>' in answer.text
    assert answers(ann) == [{"survey": "taste", "answer": "tea"}]
    assert ann.contact("ann")["tags"] == ["likes-tea"]


def test_the_page_lets_the_answer_be_changed(ann: Shop) -> None:
    page = ann.visitor().get(links(ann)["Tea"]).text
    changed = ann.visitor().post(own_address(page), data={"answer": "coffee"})

    assert "<strong>Coffee &amp; more</strong>" in changed.text
    assert answers(ann) == [{"survey": "taste", "answer": "tea"}, {"survey": "taste", "answer": "coffee"}]
    assert (ann.contact("ann")["tags"], ann.contact("ann")["attributes"]["favourite"]) == (["likes-coffee"], "coffee")


def test_opening_the_link_of_an_answer_again_gives_no_second_answer(ann: Shop) -> None:
    where = links(ann)["Tea"]
    page = ann.visitor().get(where).text
    ann.visitor().get(where)
    ann.settle()
    ann.later(days=2)
    ann.visitor().get(where)
    ann.visitor().post(own_address(page), data={"answer": "tea"})

    assert answers(ann) == [{"survey": "taste", "answer": "tea"}]


@pytest.mark.parametrize("working", [True, False])
def test_an_answer_that_is_changed_and_changed_back_is_three_answers(ann: Shop, working: bool) -> None:
    tea, coffee = links(ann).values()
    if not working:
        ann.rest()
    for where in (tea, tea, coffee, coffee, tea, tea):
        ann.visitor().get(where)
    ann.working = True

    assert [one["answer"] for one in answers(ann)] == ["tea", "coffee", "tea"]
    assert ann.contact("ann")["tags"] == ["likes-tea"]


def test_the_same_answer_to_another_message_is_another_answer(ann: Shop) -> None:
    first = links(ann)["Tea"]
    ann.later(days=3)
    ann.track("ann", "Signed Up")
    second = links(ann, 1)["Tea"]
    for where in (first, second, second, first):
        ann.visitor().get(where)

    assert first != second
    assert [one["answer"] for one in answers(ann)] == ["tea", "tea"]


def test_looking_at_the_page_again_shows_the_answer_and_gives_none(ann: Shop) -> None:
    page = ann.visitor().get(links(ann)["Tea"]).text
    ann.visitor().post(own_address(page), data={"answer": "coffee"})
    ann.settle()
    again = ann.visitor().get(own_address(page))

    assert "<strong>Coffee &amp; more</strong>" in again.text
    assert len(answers(ann)) == 2


def test_who_only_fetches_answers_nothing_and_a_person_behind_it_can(ann: Shop) -> None:
    where = links(ann)["Tea"]
    assert ann.visitor().request("HEAD", where).status_code == 200
    scanned = ann.visitor().get(where, headers={"User-Agent": "Mimecast/1.0"})
    prefetched = ann.visitor().get(where, headers={"Sec-Purpose": "prefetch"})

    assert answers(ann) == []
    for page in (scanned, prefetched):
        assert "Choose an answer" in page.text
        assert page.text.count("<button") == 2
    ann.visitor().post(own_address(scanned.text), data={"answer": "tea"})
    assert answers(ann) == [{"survey": "taste", "answer": "tea"}]


def test_an_answer_that_is_not_among_the_choices_is_none(ann: Shop) -> None:
    page = ann.visitor().get(links(ann)["Tea"], headers={"User-Agent": "Mimecast/1.0"}).text

    given: list[dict[str, str]] = [{"answer": "water"}, {}, {"other": "tea"}]
    for data in given:
        assert "Choose an answer" in ann.visitor().post(own_address(page), data=data).text
    assert answers(ann) == []


def test_a_choice_that_was_taken_away_can_be_made_no_more(ann: Shop) -> None:
    where = links(ann)["Tea"]
    ann.publish(SURVEY | {"choices": SURVEY["choices"][1:]})
    page = ann.visitor().get(where)

    assert "Choose an answer" in page.text
    assert answers(ann) == []


def test_a_survey_that_was_taken_away_has_ended(ann: Shop) -> None:
    where = links(ann)["Tea"]
    ann.publish(TEMPLATE)
    assert ann.client("admin").request("DELETE", "/v1/documents/survey/taste").status_code == 204

    page = ann.visitor().get(where)
    assert (page.status_code, "This survey has ended" in page.text) == (200, True)
    assert answers(ann) == []


def test_a_survey_with_one_choice_has_nothing_to_change(ann: Shop) -> None:
    where = links(ann)["Tea"]
    ann.publish(SURVEY | {"choices": SURVEY["choices"][:1]})

    assert "<form" not in ann.visitor().get(where).text


def test_the_page_loads_nothing_and_is_kept_nowhere(ann: Shop) -> None:
    page = ann.visitor().get(links(ann)["Tea"])

    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")


def test_a_contact_that_was_erased_has_no_page(ann: Shop) -> None:
    where = links(ann)["Tea"]
    ann.erase("ann")

    assert ann.visitor().get(where).status_code == 404
