"""Requests made from the OpenAPI document: no answer is a failure of the server, and the document describes each.

`make cases` (or `JOURNEYFLOW_API_CASES=2000 pytest tests/api/test_openapi_cases.py`) sends more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests import stores
from tests.api.shop import DOCUMENTS, Shop, new_shop

Case = schemathesis.Case[Any]  # Any: schemathesis leaves its types open
Known = dict[str, dict[str, str]]
Operation = APIOperation[Any, Any, Any, Any]  # Any: as above

CASES: Final = int(os.environ.get("JOURNEYFLOW_API_CASES", "200"))
SEED: Final = int(os.environ.get("JOURNEYFLOW_API_SEED", "1"))


def server_does_not_fail(context: CheckContext, response: Response, case: Case) -> bool | None:
    """What this version does not do is answered with 501, as the document says."""
    return None if response.status_code == HTTPStatus.NOT_IMPLEMENTED else not_a_server_error(context, response, case)


CHECKS: Final = (
    server_does_not_fail,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
ENDLESS: Final = "/v1/stream"


@schemathesis.serializer("application/x-ndjson", "text/csv")
def as_it_is(_: object, value: Any) -> bytes:  # Any: whatever was drawn for a body of text
    """Files are sent as they are."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def open_for_business(tmp_path_factory: pytest.TempPathFactory, store: stores.Store) -> Iterator[Shop]:
    """A shop in which something has happened, on the store of the test."""
    with new_shop(tmp_path_factory.mktemp(f"cases-{store}")) as shop:
        shop.publish(*DOCUMENTS)
        shop.identify("ann", email="ann@example.com", first_name="Ann")
        shop.track("ann", "Signed Up")
        yield shop


def operations(shop: Shop) -> list[Operation]:
    """Every operation of the document but the one whose answer never ends."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", shop.app)
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return [one for one in found if one.path != ENDLESS]


def known(shop: Shop) -> Known:
    """What is there, by the beginning of the paths that name it: each part of the path that is a parameter."""
    admin = shop.client("admin")
    run = admin.get("/v1/journeys/welcome/runs").json()["items"][0]["id"]
    message = admin.get("/v1/messages").json()["items"][0]["id"]
    return {
        "/v1/journeys": {"id": "welcome"},
        "/v1/contacts": {"key": "ann"},
        "/v1/runs": {"id": run},
        "/v1/messages": {"id": message},
        "/v1/documents": {"kind": "journey", "id": "welcome"},
    }


def cases(operation: Operation, there: Known) -> st.SearchStrategy[Case]:
    """Requests as the document wants them, and such as it does not; half of them to what is there."""
    drawn = st.one_of(operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE))
    names = next((names for path, names in there.items() if operation.path.startswith(path)), {})
    return st.builds(lambda case, named: _named(case, names) if named else case, drawn, st.booleans())


def _named(case: Case, names: dict[str, str]) -> Case:
    given = case.path_parameters or {}
    case.path_parameters = {name: names.get(name, value) for name, value in given.items()}
    return case


def faults(operation: Operation, there: Known, key: str, count: int) -> list[str]:
    """What is wrong with the answers to so many requests, each fault once."""
    found: dict[str, None] = {}

    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(operation, there))
    def send(case: Case) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        response = case.call(headers=headers)
        try:
            case.validate_response(response, checks=[*CHECKS], headers=headers)
        except (FailureGroup, Failure) as failure:
            told = [str(one) for one in getattr(failure, "exceptions", (failure,))]
            found[f"{operation.label}: {'; '.join(told)}\n{case.as_curl_command(headers)}"] = None

    send()
    return [*found]


@pytest.mark.slow
def test_every_answer_is_described_and_none_is_a_failure_of_the_server(open_for_business: Shop) -> None:
    asked = operations(open_for_business)
    there, key = known(open_for_business), open_for_business.key("admin")

    found = [fault for one in asked for fault in faults(one, there, key, max(1, CASES // len(asked)))]

    assert not found, f"{len(found)} faults\n" + "\n\n".join(found[:20])
