"""The database is away: nothing is answered 200 that is not on disk, and nothing else than that it is to come again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from tests.api.shop import Client, Shop, open_shop
from tests.far import Far, database

from journeyflow.db import inbox
from journeyflow.db.store import open_engine, read
from journeyflow.services.ingest import Arrivals

STORES = ("postgresql",)


@pytest.fixture
def there() -> Iterator[Far]:
    with database() as made:
        yield made


@pytest.fixture
def resting(there: Far) -> Iterator[Shop]:
    """A shop without an engine, whose database is at the other end of a network."""
    opened = open_shop(there.url)
    opened.rest()
    opened.ingest.start()
    yield opened
    opened.app.state.context.simulations.close()
    opened.ingest.stop()
    opened.installation.engine.dispose()


def waiting(there: Far) -> bool:
    """Whether anything waits for an engine, whatever the network does."""
    near = open_engine(there.near_url)
    with read(near) as connection:
        found = not inbox.is_empty(connection)
    near.dispose()
    return found


EVENT = {"userId": "ann", "event": "Signed Up", "messageId": "m1"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("track", EVENT),
        ("batch", {"batch": [{"type": "track", **EVENT}]}),
        ("contacts", {"contact": "ann"}),
        ("documents:apply", {"documents": [{"segment": "all", "when": {"all": []}}]}),
    ],
)
def test_what_comes_while_the_database_is_away_is_not_stored_and_is_to_come_again(
    resting: Shop, there: Far, path: str, body: dict[str, object]
) -> None:
    client = resting.client("admin")
    client.get("/v1/contacts")  # the key is known by now
    there.proxy.cut()

    answer = client.post(f"/v1/{path}", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0
    assert not waiting(there)
    there.proxy.go_on()
    assert client.post(f"/v1/{path}", json=body).status_code in (200, 202)


def test_a_key_that_can_t_be_looked_up_is_not_called_wrong(resting: Shop, there: Far) -> None:
    client: Client = resting.client("write")
    there.proxy.cut()

    assert client.post("/v1/track", json=EVENT).status_code == 503


def test_a_change_that_is_on_disk_is_accepted_although_nobody_can_look_what_became_of_it(
    resting: Shop, there: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, submit = resting.client("admin"), resting.ingest.submit

    def cut_behind(arrivals: Arrivals) -> Future[list[int]]:
        done = submit(arrivals)
        done.result()
        there.proxy.cut()
        return done

    monkeypatch.setattr(resting.ingest, "submit", cut_behind)

    answer = client.post("/v1/contacts", json={"contact": "ann"})

    assert answer.status_code == 202
    assert answer.json()["id"]
    assert waiting(there)
