"""Requests made from the service's own OpenAPI document, right and wrong ones, by Schemathesis."""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving.running import Here

EXAMPLES = int(os.environ.get("SERVING_EXAMPLES", "40"))
"""Requests of each of the operations; the issue's 20,000 are run by hand."""
OURS = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


OPERATIONS = [
    "POST /v1/recommend",
    "POST /v1/sessions/{session_id}/clicks",
    "DELETE /v1/sessions/{session_id}",
    "GET /v1/items",
    "GET /v1/items/{item_id}/similar",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", OPERATIONS)
def test_requests_made_from_the_document_are_answered_as_it_says(
    service: Here, name: str, mode: GenerationMode
) -> None:
    address = f"http://127.0.0.1:{service.port}"
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    operations = {operation.label: operation for operation in found}
    assert sorted(operations) == sorted(OPERATIONS)
    operation = operations[name]
    if mode.is_negative and not (operation.body or operation.path_parameters or operation.query):
        pytest.skip("nothing can be wrong where nothing is asked")

    @OURS
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: "schemathesis.Case[Any]") -> None:
        reply = case.call(base_url=address)
        refused = [] if reply.status_code == 413 else [negative_data_rejection]  # it does not know of 413
        case.validate_response(reply, checks=[*CHECKS, *refused])

    answered()
