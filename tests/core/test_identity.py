from __future__ import annotations

import hashlib
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyflow.core.identity import SHARDS, address_hash, key_text, message_id, normal_address, run_id, shard_of
from journeyflow.core.values import JSON

any_text = st.text(st.characters(codec="utf-8"))
with_half_surrogates = st.text(st.characters())


# --- runs and messages -----------------------------------------------------------------------------------------------


@given(any_text, any_text, any_text, st.none() | any_text, st.integers(0, 10_000))
def test_rule_9_2_a_run_has_the_uuid_that_the_rule_derives(
    workspace: str, journey: str, contact: str, key: str | None, n: int
) -> None:
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, f"journeyflow:{workspace}")
    name = "\x1f".join([journey, contact, key or "", str(n)])

    assert run_id(workspace, journey, contact, key, n) == str(uuid.uuid5(namespace, name))


@given(st.uuids(), any_text, st.integers(0, 10_000))
def test_rule_9_2_a_message_has_the_uuid_that_the_rule_derives(run: uuid.UUID, node: str, visit: int) -> None:
    assert message_id(str(run), node, visit) == str(uuid.uuid5(run, f"{node}\x1f{visit}"))


def test_rule_9_2_known_ids_stay_as_they_are() -> None:
    run = run_id("default", "welcome", "ann", None, 0)

    assert run == "81b739f3-d0cf-57bd-99b8-5a01484072a8"
    assert message_id(run, "first", 0) == "44bc26ed-2a4b-5321-83e6-5954dfb3f171"


def test_rule_4_7_another_visit_of_a_node_has_another_id() -> None:
    run = run_id("default", "welcome", "ann", None, 0)

    assert len({message_id(run, "first", visit) for visit in range(100)}) == 100


@given(with_half_surrogates)
def test_no_key_of_a_contact_is_refused(contact: str) -> None:
    assert uuid.UUID(run_id("default", "welcome", contact, contact, 0)).version == 5


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", [], [1], {}, {"a": 1}, float("nan"), float("inf"), float("-inf")])
def test_rule_3_2_what_is_missing_empty_or_no_scalar_is_no_key(value: JSON) -> None:
    assert key_text(value) is None


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("c1", "c1"), (" ", " "), ("1.0", "1.0"), ("zoë", "zoë"), (True, "true"), (False, "false"),
        (0, "0"), (1, "1"), (1.0, "1"), (-1.0, "-1"), (-0.0, "0"), (1.5, "1.5"), (0.1, "0.1"), (1e-7, "1e-7"),
        (2**53 + 1, "9007199254740993"), (10**30, "1" + "0" * 30), (1e16, "10000000000000000"), (1.5e-10, "1.5e-10"),
    ],
)  # fmt: skip
def test_rule_9_2_a_number_as_key_is_written_in_its_shortest_form(value: JSON, key: str) -> None:
    assert key_text(value) == key


@given(st.integers(-(2**53), 2**53))
def test_rule_3_2_numbers_and_text_of_the_same_spelling_are_the_same_key(number: int) -> None:
    assert key_text(number) == key_text(float(number)) == key_text(str(number))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rule_9_2_no_two_numbers_share_a_key(number: float) -> None:
    text = key_text(number)

    assert text is not None
    assert float(text) == number


def test_a_number_of_thousands_of_digits_is_no_key() -> None:
    assert key_text(10**5000) is None


# --- shards ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("contact", "shard"), [("ann", 294), ("zoë", 157), ("", 910), ("12345", 358)])
def test_a_contact_stays_in_its_shard_for_the_life_of_an_installation(contact: str, shard: int) -> None:
    assert shard_of(contact) == shard


@given(any_text)
def test_a_shard_is_the_first_ten_bits_of_the_hash(contact: str) -> None:
    assert shard_of(contact) == int(hashlib.sha256(contact.encode()).hexdigest(), 16) >> 246


@given(with_half_surrogates)
def test_every_contact_has_a_shard(contact: str) -> None:
    assert 0 <= shard_of(contact) < SHARDS


def test_shards_are_filled_evenly() -> None:
    filled = Counter(shard_of(f"customer-{number}") for number in range(100 * SHARDS))

    assert len(filled) == SHARDS
    assert max(filled.values()) < 160


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        "Ann@Example.com", " ann@example.com\n", "ANN@EXAMPLE.COM", "ann@example.com.", "ann@ＥＸＡＭＰＬＥ.com",
        "ann@example。com",
    ],
)  # fmt: skip
def test_rule_5_8_every_spelling_of_an_e_mail_address_is_the_same_address(spelling: str) -> None:
    assert normal_address("email", spelling) == "ann@example.com"
    assert address_hash("email", spelling) == address_hash("email", "ann@example.com")


@pytest.mark.parametrize(
    ("spelling", "normal"),
    [
        ("jörg@Bücher.example", "jörg@xn--bcher-kva.example"),
        ("JÖRG@xn--bcher-kva.example", "jörg@xn--bcher-kva.example"),
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("a@BU\u0308CHER.example", "a@xn--bcher-kva.example"),
        ("a@\u1e9e.example", "a@xn--zca.example"),
        ("no address", "no address"),
        ("NO ADDRESS", "no address"),
        ("", ""),
    ],
)
def test_rule_5_8_a_domain_is_compared_as_it_stands_in_the_dns(spelling: str, normal: str) -> None:
    assert normal_address("email", spelling) == normal


@pytest.mark.parametrize("spelling", ["+48 601 234 567", "+48-601-234-567", "0048601234567", "+48 (601) 234.567"])
def test_rule_5_8_every_spelling_of_a_phone_number_is_the_same_number(spelling: str) -> None:
    assert normal_address("sms", spelling) == "+48601234567"


@pytest.mark.parametrize("address", ["SHOP", "call me", "12", "+"])
def test_what_is_no_phone_number_stays_as_it_is(address: str) -> None:
    assert normal_address("sms", address) == address


def test_a_device_token_keeps_its_case() -> None:
    assert normal_address("push", " aBc ") == "aBc"


def test_different_addresses_have_different_hashes() -> None:
    assert address_hash("email", "ann@example.com") != address_hash("email", "ann+shop@example.com")


def test_the_hash_is_the_sha256_that_other_tools_make_of_an_address() -> None:
    assert address_hash("email", "ann@example.com") == hashlib.sha256(b"ann@example.com").hexdigest()


@given(st.sampled_from(["email", "sms", "push", "?"]), with_half_surrogates)
def test_no_address_is_refused(channel: str, address: str) -> None:
    assert len(address_hash(channel, address)) == 64


@given(with_half_surrogates, st.sampled_from(["example.com", "bücher.example", "\ud800.example", "." * 300, "ß" * 300]))
def test_a_normal_form_is_its_own_normal_form(local: str, domain: str) -> None:
    once = normal_address("email", f"{local}@{domain}")

    assert normal_address("email", once) == once


def test_a_very_long_address_takes_no_time() -> None:
    assert len(address_hash("email", "ü" * 1_000_000 + "@" + "ü" * 1_000_000)) == 64
