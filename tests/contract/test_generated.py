"""Requests generated from the OpenAPI document: no failure of ours, and every answer as the document says."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.operations import OPERATIONS, Operation, document
from tests.stack import Stack

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
EXAMPLES = 20
FEW = 4
SLOW = {
    "tenants-tenant-create",
    "aso-opportunity-scan-now",
    "aso-stats",
    "aso-ctr-fit-now",
    "aso-calibration-get",
    "aso-decay-now",
    "aso-cannibalization-now",
    "aso-content-gap-now",
    "aso-content-traffic-change",
}
"""A tenant gets data sets, the others ask the warehouse: its emulator takes a second for each."""

MODES = {"valid": schemathesis.GenerationMode.POSITIVE, "invalid": schemathesis.GenerationMode.NEGATIVE}


@pytest.fixture(scope="module")
def described(cloud: Stack) -> Any:
    """The document as the running cloud serves it."""
    served = cloud.anonymous.get("/v1/openapi.json").json()
    assert served == document()
    return schemathesis.openapi.from_dict(json.loads(json.dumps(served)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_generated_requests(operation: Operation, mode: str, described: Any, cloud: Stack, caller_for: Any) -> None:
    found = described[operation.entry["path"]][operation.method]
    credential = caller_for(operation).headers["Authorization"]

    @hypothesis.given(case=found.as_strategy(generation_mode=MODES[mode]))
    @hypothesis.settings(
        max_examples=FEW if operation.name in SLOW else EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        # The credential is right; what is generated for its headers is the subject of other tests.
        for name in ("X-Tenant-ID", "X-API-Key", "Authorization"):
            case.headers.pop(name, None)
        case.call_and_validate(base_url=cloud.url, headers={"Authorization": credential}, checks=CHECKS)

    check()
