"""The operations of the gain model through HTTP, and the schedules and tasks behind them.

``aso-ctr-fit`` and ``aso-opportunity-outcome`` make the tasks of ``aso-ctr-fit-tenant`` and
``aso-opportunity-outcome-tenant``; ``aso-ctr-fit-now``, ``aso-ctr-curve-list``, ``aso-outcome-list`` and
``aso-calibration-get`` are what people call.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.aso import gain
from common.aso.entities import CTR_FIT, OPPORTUNITIES, OUTCOME
from common.aso.gain_model import fit, outcomes
from common.aso.gain_model.models import FitTask, OutcomeTask
from common.aso.performance.record import record
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context, Principal
from common.model import Model
from common.warehouse import due, marks
from common.warehouse.provision import provision_tenant
from tests.common.aso.gain_model.conftest import clicked, store
from tests.common.aso.scan.conftest import context_for, keyword
from tests.common.aso.scan.test_rules import opportunity
from tests.functions.aso.conftest import Api
from tests.functions.aso.test_opportunity_functions import code, patch, stored

NOW = datetime.now(UTC)


@pytest.fixture
def tenant(api: Api, process: Clients) -> Context:
    """The circumstances of the tenant of ``api``."""
    return context_for(process, api.tenant_id)


@pytest.fixture
def provisioned(tenant: Context) -> Context:
    """The tenant of ``api`` with its data set."""
    provision_tenant(tenant, tenant.tenant_id)
    return tenant


def test_curves_are_listed_fitted_and_listed_again(api: Api, provisioned: Context, stranger: Api) -> None:
    before = api("GET", "/v1/aso/ctr-curves")
    assert before.headers["X-Cache"] == "MISS"
    [prior] = before.get_json()["segments"]
    assert (before.get_json()["version"], prior["state"], prior["reason"]) == (0, "kept", "too_few_impressions")
    assert prior["click_through"] == pytest.approx(gain.CLICK_THROUGH)
    rows = [clicked(f"rank {rank}", float(rank), 9000, 9000 // (rank + 1)) for rank in range(1, 31)]
    record(provisioned, rows, "import-1")

    fitted = api("POST", "/v1/aso/ctr-curves/fit")
    assert fitted.status_code == 200, fitted.text
    assert fitted.get_json()["changed"]
    [own] = fitted.get_json()["curves"]["segments"]
    assert (own["key"], own["state"], own["parent"]) == ("all", "fitted", "prior")
    assert own["click_through"][0] == pytest.approx(0.5, abs=0.02)
    assert fitted.get_json()["reach"]["reason"] == "too_few_outcomes"
    assert not api("POST", "/v1/aso/ctr-curves/fit").get_json()["changed"]
    assert api("GET", "/v1/aso/ctr-curves?segment=nothing").get_json()["segments"] == []
    assert stranger("GET", "/v1/aso/ctr-curves").get_json()["version"] == 0
    assert stranger("POST", "/v1/aso/ctr-curves/fit").status_code == 503, "their data set is not there yet"

    shown = api("GET", "/v1/aso/calibration?horizon_days=28")
    assert shown.status_code == 200, shown.text
    told = shown.get_json()
    assert (told["measured"], told["brier_score"], told["calibration_error"], told["types"]) == (0, None, None, [])
    assert len(told["chance"]) == 10
    assert told["reach_model"]["version"] == 0
    assert api("GET", "/v1/aso/calibration?horizon_days=28").headers["X-Cache"] == "HIT"
    assert code(api("GET", "/v1/aso/calibration?horizon_days=30")) == (422, "validation_failed")


def test_completing_says_when_it_was_acted_on(api: Api, tenant: Context) -> None:
    detected = NOW - timedelta(days=9)
    found = stored(tenant, detected_at=detected)
    acted = (NOW - timedelta(days=3)).isoformat()
    assert code(patch(api, found, {"acted_at": acted})) == (422, "not_completed")
    started = patch(api, found, {"status": "in_progress"}).get_json()
    assert started["started_at"] is not None
    assert started["acted_at"] is None
    done = patch(api, found, {"status": "completed"}).get_json()
    assert done["acted_at"] is not None
    assert done["outcome_due_at"] > done["acted_at"]
    corrected = patch(api, found, {"acted_at": acted}).get_json()
    assert datetime.fromisoformat(corrected["acted_at"]) == datetime.fromisoformat(acted)
    assert corrected["outcome_due_at"] < done["outcome_due_at"]
    for wrong in (NOW + timedelta(days=1), detected - timedelta(seconds=1)):
        assert code(patch(api, found, {"acted_at": wrong.isoformat()})) == (422, "invalid_action_date")
    assert code(patch(api, found, {"acted_at": "yesterday"})) == (422, "validation_failed")


def test_completing_and_dating_go_together(api: Api, tenant: Context) -> None:
    found = stored(tenant, detected_at=NOW - timedelta(days=9), status="in_progress")
    acted = (NOW - timedelta(days=2)).isoformat()
    done = patch(api, found, {"status": "completed", "acted_at": acted}).get_json()
    assert datetime.fromisoformat(done["acted_at"]) == datetime.fromisoformat(acted)


def test_outcomes_are_measured_by_their_task_listed_and_final(
    api: Api, provisioned: Context, stranger: Api, process: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = NOW - timedelta(days=40)
    late = opportunity(
        keyword(provisioned, "late"),
        status="completed",
        detected_at=acted,
        acted_at=acted,
        outcome_due_at=acted + timedelta(days=32),
    )
    store(provisioned, OPPORTUNITIES, [late])
    made = tasks_made(process, monkeypatch)
    operator = schedule_of("aso-opportunity-outcome", process)
    assert outcomes.enqueue_due_tenants(operator) == 0
    marks.set_marks(operator, provisioned.tenant_id, [(OUTCOME, marks.EVERYTHING)])
    assert outcomes.enqueue_due_tenants(operator) == 1
    assert outcomes.enqueue_due_tenants(operator) == 0, "somebody is working on it"
    [(tenant_id, function, body)] = made
    assert (tenant_id, function) == (provisioned.tenant_id, "aso-opportunity-outcome-tenant")
    task = OutcomeTask.model_validate_json(body.model_dump_json())
    assert outcomes.measure_claimed(provisioned, task).written == 1
    assert outcomes.measure_claimed(provisioned, task).written == 0

    answer = api("GET", f"/v1/aso/outcomes?opportunity_id={late.opportunity_id}&horizon_days=28")
    [item] = answer.get_json()["items"]
    assert (item["state"], item["reason"], item["realised_gain"]) == ("not_measurable", "nothing_observed_before", None)
    assert api("GET", "/v1/aso/outcomes?horizon_days=56").get_json()["items"] == []
    assert stranger("GET", "/v1/aso/outcomes").get_json()["items"] == []
    assert code(api("GET", "/v1/aso/outcomes?limit=201")) == (422, "validation_failed")
    moved = {"acted_at": (NOW - timedelta(days=39)).isoformat()}
    assert code(patch(api, late, moved)) == (409, "outcome_measured")


def test_a_tenant_with_new_figures_gets_one_fit(
    provisioned: Context, process: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tasks_made(process, monkeypatch)
    operator = schedule_of("aso-ctr-fit", process)
    marks.set_marks(operator, provisioned.tenant_id, [(CTR_FIT, marks.EVERYTHING)])
    assert fit.enqueue_changed(operator) == 1
    [(tenant_id, function, body)] = made
    assert (tenant_id, function) == (provisioned.tenant_id, "aso-ctr-fit-tenant")
    task = FitTask.model_validate_json(body.model_dump_json())
    assert not fit.fit_claimed(provisioned, task).changed
    assert [mark for mark in marks.due(operator, CTR_FIT) if mark.tenant_id == provisioned.tenant_id] == []


def tasks_made(process: Clients, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Model]]:
    """Return a list that fills with the tasks that schedules make; marks of earlier tests are taken away."""
    operator = schedule_of("tests", process)
    for purpose in (CTR_FIT, OUTCOME):
        for mark in marks.due(operator, purpose):
            marks.claim(operator, purpose, mark.tenant_id)
    made: list[tuple[str, str, Model]] = []

    def enqueue(context: Context, function: str, body: Model, **_: Any) -> str:
        made.append((context.tenant_id, function, body))
        return "task"

    monkeypatch.setattr(due, "enqueue", enqueue)
    return made


def schedule_of(name: str, process: Clients) -> Context:
    """Return the circumstances of a schedule."""
    principal = Principal(kind="service", id="scheduler", role="service")
    return Context(function=name, tenant_id=PLATFORM_TENANT, principal=principal, clients=process)
