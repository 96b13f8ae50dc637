"""The two kinds of transactions: what is written is there for everybody when it is over, or it never was."""

from __future__ import annotations

from threading import Thread

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from journeyflow.core.errors import SystemFailure
from journeyflow.db.store import ReadConnection, WriteConnection, one_at_a_time, read, write
from journeyflow.db.tables import installation

ROW = insert(installation).values(name="workspace", value="shop")


def names(connection: ReadConnection) -> list[str]:
    return [*connection.scalars(select(installation.c.name).order_by(installation.c.name))]


def test_what_is_written_is_read(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(ROW)
        assert names(connection) == ["workspace"], "the transaction itself sees it at once"
    with read(engine) as reader:
        assert names(reader) == ["workspace"]


def test_an_error_undoes_the_whole_transaction(engine: Engine) -> None:
    def put_in_twice() -> None:
        with write(engine) as connection:
            connection.execute(ROW)
            connection.execute(ROW)

    with pytest.raises(IntegrityError):
        put_in_twice()

    with read(engine) as reader:
        assert names(reader) == []


def test_a_part_can_be_undone_and_the_rest_goes_on(engine: Engine) -> None:
    def change_and_fail(connection: WriteConnection) -> None:
        with connection.begin_nested():
            connection.execute(update(installation).values(value="half"))
            connection.execute(ROW)

    with write(engine) as connection:
        connection.execute(ROW)
        with pytest.raises(IntegrityError):
            change_and_fail(connection)
        connection.execute(insert(installation).values(name="other", value="1"))
    with read(engine) as reader:
        assert dict(reader.execute(select(installation.c.name, installation.c.value)).all()) == {
            "workspace": "shop", "other": "1"
        }  # fmt: skip


def test_a_reader_can_not_write(engine: Engine) -> None:
    with pytest.raises(SystemFailure), read(engine) as connection:
        connection.execute(ROW)

    with read(engine) as connection:
        assert names(connection) == []


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(engine: Engine) -> None:
    def put_in() -> None:
        with write(engine) as connection:
            connection.execute(ROW)

    with read(engine) as reader:
        before = names(reader)
        writing = Thread(target=put_in)
        writing.start()
        writing.join()
        after = names(reader)

    assert (before, after) == ([], [])
    with read(engine) as reader:
        assert names(reader) == ["workspace"]


def test_who_looks_first_and_writes_then_one_at_a_time_finds_what_the_other_wrote(engine: Engine) -> None:
    """Ten at once, each of which adds one to what it has found."""
    with write(engine) as connection:
        connection.execute(insert(installation).values(name="count", value="0"))

    def count() -> None:
        with write(engine) as connection:
            one_at_a_time(connection, "counting")
            found = connection.scalar(select(installation.c.value).where(installation.c.name == "count"))
            connection.execute(update(installation).values(value=str(int(str(found)) + 1)))

    counting = [Thread(target=count) for _ in range(10)]
    for one in counting:
        one.start()
    for one in counting:
        one.join()

    with read(engine) as reader:
        assert reader.scalar(select(installation.c.value)) == "10"
