"""Text is ordered by code points, in lists and behind cursors, and JSON is looked into alike (rule 9.1)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select

from journeyflow.core.contact import Contact
from journeyflow.core.identity import shard_of
from journeyflow.db import bulk, contacts
from journeyflow.db.json_part import json_lists, json_part
from journeyflow.db.store import read, write
from journeyflow.db.tables import aliases
from journeyflow.db.tables import contacts as table

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
KEYS = ["", " ", "-", "A", "Z", "_", "a", "a b", "a-b", "a_b", "ab", "z", "Ä", "ß", "ä", "İ", "ż", "中", "\ufffd", "🙂"]


def test_keys_are_ordered_by_code_points(engine: Engine) -> None:
    with write(engine) as connection:
        bulk.insert(connection, aliases, [(1, key, "ann", 0) for key in reversed(KEYS)])
    with read(engine) as connection:
        assert connection.scalars(select(aliases.c.contact).order_by(aliases.c.contact)).all() == KEYS == sorted(KEYS)
        for place, key in enumerate(KEYS):
            behind = select(aliases.c.contact).where(aliases.c.contact > key).order_by(aliases.c.contact)
            assert connection.scalars(behind).all() == KEYS[place + 1 :]


def test_keys_that_only_look_alike_are_two(engine: Engine) -> None:
    alike = ["é", "e\u0301", "É", "Straße", "STRASSE", "ann", "ann ", "Ann"]
    with write(engine) as connection:
        bulk.insert(connection, aliases, [(1, key, key, 0) for key in alike])
    with read(engine) as connection:
        for key in alike:
            found = connection.scalars(select(aliases.c.into).where(aliases.c.contact == key)).all()
            assert found == [key]


@pytest.mark.parametrize("odd", ['a "quoted" name', "back\\slash", "a.b", "$", "{x}", "ż🙂", "x,y", ""])
def test_what_stands_in_json_is_found_by_its_path(engine: Engine, odd: str) -> None:
    ann, bob = Contact("ann", created_at=NOW, tags=[odd, "vip"]), Contact("bob", created_at=NOW, tags=["other"])
    with write(engine) as connection:
        bulk.put(connection, table, [contacts.contact_row(one) for one in (ann, bob)])
    with read(engine) as connection:
        tagged = select(table.c.contact).where(json_lists(table.c.state, odd, "tags"))
        assert connection.scalars(tagged).all() == ["ann"]
        first = select(json_part(table.c.state, "tags", 0)).order_by(table.c.contact)
        assert connection.scalars(first).all() == [odd, "other"]
        nothing = select(json_part(table.c.state, "tags", 7), json_part(table.c.state, "nothing", odd)).limit(1)
        assert connection.execute(nothing).one() == (None, None)


def test_a_contact_comes_back_as_it_was(engine: Engine) -> None:
    ann = Contact(
        "ann", created_at=NOW, attributes={"name": "Łucja 🙂", "n": 1.0, "big": 2**53, "none": [None, {"x": [True]}]}
    )
    with write(engine) as connection:
        bulk.put(connection, table, [contacts.contact_row(ann)])
    with read(engine) as connection:
        found = contacts.load(connection, ["ann", "nobody"], NOW)
        shards = connection.scalars(select(table.c.shard)).all()

    assert {key: one.attributes for key, one in found.items()} == {"ann": ann.attributes}
    assert shards == [shard_of("ann")]
