"""A request follows its job: once, whatever is delivered twice, late, or of a job that is not its own any more."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.platform.privacy.requests.following import followed
from common.platform.privacy.requests.models import StoredRequest

NOW = datetime(2026, 4, 1, tzinfo=UTC)
PLAN, JOB, OTHER = (uuid.UUID(int=number) for number in (1, 2, 3))


def request(status: str = "in_progress", kind: str = "erasure") -> StoredRequest:
    return StoredRequest.model_validate(
        {
            "request_id": uuid.UUID(int=9),
            "tenant_id": "t",
            "type": kind,
            "status": status,
            "email": "jane@example.com",
            "details": "by letter",
            "subject_digests": ["d"],
            "received_at": NOW,
            "due_at": NOW + timedelta(days=30),
            "alarm_at": NOW + timedelta(days=30),
            "plan_job_id": PLAN,
            "job_id": JOB if status == "in_progress" else None,
            "created_at": NOW,
            "created_by": "u",
            "updated_at": NOW,
        }
    )


def ended(job_id: uuid.UUID, status: str, code: str | None = None) -> dict[str, Any]:
    parameters = {"request_id": str(uuid.UUID(int=9)), "plan_job_id": str(PLAN), "confirm": "token"}
    error = None if code is None else {"code": code, "detail": "why"}
    return {"job_id": str(job_id), "status": status, "error": error, "parameters": parameters}


def test_a_job_that_succeeds_ends_the_request_and_forgets_who_was_erased() -> None:
    done = followed(request(), ended(JOB, "succeeded"), NOW)
    assert (done.status, done.deadline, done.email, done.details, done.alarm_at) == ("done", "met", None, None, None)
    assert done.subject_digests == ["d"]
    export = followed(request(kind="access"), ended(JOB, "succeeded"), NOW + timedelta(days=31))
    assert (export.status, export.deadline, export.email) == ("done", "missed", "jane@example.com")


@pytest.mark.parametrize(("status", "code"), [("failed", "plan_stale"), ("cancelled", None)])
def test_a_job_that_fails_opens_the_request_again(status: str, code: str | None) -> None:
    opened = followed(request(), ended(JOB, status, code), NOW)
    assert (opened.status, opened.job_id, opened.problem, opened.waits) == ("verified", None, code or status, False)


def test_a_job_that_met_a_hold_waits_with_what_was_confirmed() -> None:
    waiting = followed(request(), ended(JOB, "failed", "legal_hold"), NOW)
    assert (waiting.status, waiting.waits) == ("verified", True)
    assert waiting.waiting is not None
    assert (waiting.waiting.confirm, waiting.waiting.plan_job_id) == ("token", PLAN)


def test_a_plan_that_fails_is_told_and_one_that_succeeds_changes_nothing() -> None:
    before = request("verified")
    assert followed(before, ended(PLAN, "succeeded"), NOW) == before
    assert followed(before, ended(PLAN, "failed", "internal_error"), NOW).problem == "internal_error"


events = st.builds(
    ended,
    st.sampled_from([PLAN, JOB, OTHER]),
    st.sampled_from(["succeeded", "failed", "cancelled"]),
    st.sampled_from([None, "legal_hold", "plan_stale"]),
)


@given(status=st.sampled_from(["received", "verified", "in_progress", "done", "refused"]), event=events)
def test_a_second_delivery_changes_nothing_and_a_strange_job_never_does(status: str, event: dict[str, Any]) -> None:
    before = request(status)
    once = followed(before, event, NOW)
    assert followed(once, event, NOW) == once
    if event["job_id"] == str(OTHER) or not before.is_open:
        assert once == before
