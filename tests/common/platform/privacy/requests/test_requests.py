"""Requests of people: their deadline, their proof, their states, and what is told when one is late."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, Gone, NotFound, Refusal, Unprocessable
from common.platform.privacy import lifting
from common.platform.privacy.lifting import RestrictionLift
from common.platform.privacy.requests import overdue, service, starting, verification
from common.platform.privacy.requests.models import (
    CodeGiven,
    PrivacyRequest,
    RequestClose,
    RequestCreate,
    RequestExtend,
    RequestListQuery,
    RequestRefuse,
    RequestStart,
)
from common.protection.restrictions import restriction_of
from common.protection.subjects import Subject
from common.suppression import is_suppressed
from tests.common.security import operator_context
from tests.common.things import context_of

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
JANE = {"email": "Jane.Doe@Example.com"}
WHY = "Records of eleven years in three archives."


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:10]}")


def received(context: Context, kind: str = "access", **fields: object) -> PrivacyRequest:
    body = RequestCreate.model_validate({"type": kind, "subject": JANE, **fields})
    return service.create(context, body, NOW).content.value


def verified(context: Context, request: PrivacyRequest) -> PrivacyRequest:
    code = verification.issue(context, request.request_id, NOW).content.code
    return verification.verify(context, request.request_id, CodeGiven(code=code), NOW).value


def refusal(call: object, *arguments: object) -> Refusal:
    with pytest.raises(Refusal) as found:
        call(*arguments)  # type: ignore[operator]
    return found.value


def test_the_deadline_counts_from_the_receipt(context: Context) -> None:
    request = received(context, received_at=NOW - timedelta(days=3))
    assert request.due_at == NOW + timedelta(days=27)
    assert (request.status, request.deadline, request.email) == ("received", "running", "jane.doe@example.com")
    assert len(request.subject_digests) == 1
    assert service.get(context, request.request_id).value == request


@pytest.mark.parametrize(
    ("off", "code"), [(timedelta(minutes=6), "received_in_future"), (timedelta(days=-400), "received_long_ago")]
)
def test_an_impossible_receipt_is_refused(context: Context, off: timedelta, code: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        received(context, received_at=NOW + off)
    assert refused.value.code == code
    assert refused.value.errors[0].pointer == "/received_at"


@pytest.mark.parametrize(
    "body",
    [
        {"type": "access", "subject": {}},
        {"type": "access", "subject": {"email": "no address"}},
        {"type": "access", "subject": JANE, "purposes": ["newsletter"]},
        {"type": "rectification", "subject": JANE},
        {"type": "curiosity", "subject": JANE},
        {"type": "objection", "subject": JANE, "purposes": ["News letter!"]},
    ],
)
def test_what_cannot_be_a_request_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RequestCreate.model_validate(body)


@given(moment=st.datetimes(timezones=st.just(UTC)).filter(lambda each: each.year < 9990), months=st.integers(0, 30))
def test_months_later_is_the_same_day_or_the_last(moment: datetime, months: int) -> None:
    later = service.months_later(moment, months)
    assert (later.year * 12 + later.month) - (moment.year * 12 + moment.month) == months
    assert later.day == moment.day or (later.day < moment.day and (later + timedelta(days=1)).day == 1)
    assert later.time() == moment.time()


def test_the_deadline_is_extended_once_and_in_time(context: Context) -> None:
    request = received(context)
    extended = service.extend(context, request.request_id, RequestExtend(reason=WHY), NOW).value
    assert extended.due_at == datetime(2026, 6, 30, 12, tzinfo=UTC)
    assert extended.extension_reason == WHY
    again = refusal(service.extend, context, request.request_id, RequestExtend(reason=WHY), NOW)
    assert again.code == "already_extended"
    late = received(context)
    passed = refusal(service.extend, context, late.request_id, RequestExtend(reason=WHY), NOW + timedelta(days=30))
    assert passed.code == "deadline_passed"


def test_a_code_verifies_once(context: Context) -> None:
    request = received(context)
    code = verification.issue(context, request.request_id, NOW).content.code
    spelt = CodeGiven(code=f" {code.lower().replace('-', ' ')} ")
    assert verification.verify(context, request.request_id, spelt, NOW).value.status == "verified"
    assert refusal(verification.verify, context, request.request_id, spelt, NOW).code == "already_verified"
    assert refusal(verification.issue, context, request.request_id, NOW).code == "already_verified"


def test_wrong_codes_are_counted_and_end_the_code(context: Context) -> None:
    request = received(context)
    code = verification.issue(context, request.request_id, NOW).content.code
    left = []
    for _ in range(verification.MOST_ATTEMPTS):
        wrong = refusal(verification.verify, context, request.request_id, CodeGiven(code="AAAA-BBBB-CCCC"), NOW)
        left.append((wrong.code, wrong.details["attempts_left"]))
    assert left == [("code_wrong", number) for number in (4, 3, 2, 1, 0)]
    ended = refusal(verification.verify, context, request.request_id, CodeGiven(code=code), NOW)
    assert (ended.code, ended.audited) == ("too_many_attempts", True)
    assert verified(context, request).status == "verified"


def test_a_code_expires_and_is_replaced(context: Context) -> None:
    request = received(context)
    assert refusal(verification.verify, context, request.request_id, CodeGiven(code="x"), NOW).code == "no_code"
    first = verification.issue(context, request.request_id, NOW).content.code
    second = verification.issue(context, request.request_id, NOW).content
    assert refusal(verification.verify, context, request.request_id, CodeGiven(code=first), NOW).code == "code_wrong"
    with pytest.raises(Gone) as gone:
        verification.verify(context, request.request_id, CodeGiven(code=second.code), second.expires_at)
    assert gone.value.code == "expired"
    for _ in range(verification.MOST_CODES - 2):
        verification.issue(context, request.request_id, NOW)
    assert refusal(verification.issue, context, request.request_id, NOW).code == "too_many_codes"


def test_a_code_of_one_request_is_not_that_of_another(context: Context) -> None:
    one, other = received(context), received(context)
    code = verification.issue(context, one.request_id, NOW).content.code
    verification.issue(context, other.request_id, NOW)
    assert refusal(verification.verify, context, other.request_id, CodeGiven(code=code), NOW).code == "code_wrong"


@pytest.mark.parametrize("kind", ["access", "erasure", "rectification"])
def test_nothing_is_begun_for_somebody_unproven(context: Context, kind: str) -> None:
    request = received(context, kind, details="The name is wrong.")
    assert refusal(starting.start, context, request.request_id, RequestStart(), NOW).code == "not_verified"


def test_a_rectification_is_made_by_people(context: Context) -> None:
    request = verified(context, received(context, "rectification", details="The name is Do, not Doe."))
    done = RequestClose(outcome="The name was corrected.")
    assert refusal(service.complete, context, request.request_id, done, NOW).code == "invalid_transition"
    assert starting.start(context, request.request_id, RequestStart(), NOW).value.status == "in_progress"
    closed = service.complete(context, request.request_id, done, NOW + timedelta(days=31)).value
    assert (closed.status, closed.deadline, closed.outcome) == ("done", "missed", "The name was corrected.")
    assert refusal(service.complete, context, request.request_id, done, NOW).code == "privacy_request_closed"


def test_a_refusal_is_written_and_final(context: Context) -> None:
    request = received(context)
    body = RequestRefuse(reason="The sender could not be verified.")
    refused = service.refuse(context, request.request_id, body, NOW).value
    assert (refused.status, refused.deadline, refused.outcome) == ("refused", "met", body.reason)
    for call, argument in (
        (service.refuse, body),
        (service.extend, RequestExtend(reason=WHY)),
        (starting.start, RequestStart()),
    ):
        assert refusal(call, context, request.request_id, argument, NOW).code == "privacy_request_closed"
    with pytest.raises(ValidationError):
        RequestRefuse(reason="no")


def test_an_objection_is_honoured_at_once_and_needs_no_proof(context: Context) -> None:
    request = received(context, "objection", purposes=["newsletter", "newsletter"])
    assert starting.start(context, request.request_id, RequestStart(), NOW).value.status == "done"
    found = restriction_of(context, Subject(email="jane.doe@EXAMPLE.com"))
    assert found.forbids("newsletter")
    assert not found.forbids("invoices")
    assert is_suppressed(context, "JANE.DOE@example.com", "newsletter")
    assert not is_suppressed(context, "jane.doe@example.com", "invoices")
    everything = received(context, "objection", subject={"email": "max@example.com", "user_id": "u1"})
    starting.start(context, everything.request_id, RequestStart(), NOW)
    assert restriction_of(context, Subject(user_id="u1")).forbids("anything")
    assert is_suppressed(context, "max@example.com", "anything")


def test_a_restriction_forbids_every_use(context: Context) -> None:
    request = received(context, "restriction")
    starting.start(context, request.request_id, RequestStart(), NOW)
    found = restriction_of(context, Subject(email="jane.doe@example.com"))
    assert found.restricted
    assert found.forbids("anything")
    assert not restriction_of(context, Subject(email="john.doe@example.com")).forbids("anything")


def test_what_was_asked_for_is_lifted_with_a_reason(context: Context) -> None:
    for kind in ("restriction", "objection"):
        request = received(context, kind, **({"purposes": ["newsletter", "calls"]} if kind == "objection" else {}))
        starting.start(context, request.request_id, RequestStart(), NOW)
    jane = Subject(email="jane.doe@example.com")
    lift = RestrictionLift(subject=jane, restriction=True, purposes=["newsletter"], reason="As she wrote on 3 March.")
    assert lifting.lift(context, lift, NOW).objected == ["calls"]
    found = restriction_of(context, jane)
    assert (found.restricted, found.forbids("newsletter"), found.forbids("calls")) == (False, False, True)
    assert not is_suppressed(context, "jane.doe@example.com", "newsletter")
    assert is_suppressed(context, "jane.doe@example.com", "calls")
    with pytest.raises(NotFound) as nobody:
        lifting.lift(context, lift.model_copy(update={"subject": Subject(user_id="nobody")}), NOW)
    assert nobody.value.code == "restriction_not_found"
    with pytest.raises(ValidationError):
        RestrictionLift(subject=jane, reason="Nothing is named here.")


def test_only_an_erasure_is_confirmed(context: Context) -> None:
    request = verified(context, received(context))
    found = refusal(starting.start, context, request.request_id, RequestStart(confirm="token"), NOW)
    assert found.code == "confirm_not_asked"
    erasure = verified(context, received(context, "erasure"))
    unplanned = refusal(starting.start, context, erasure.request_id, RequestStart(confirm="token"), NOW)
    assert unplanned.code == "not_planned"


def test_another_tenant_knows_nothing_of_it(context: Context, clients: Clients) -> None:
    request = received(context)
    stranger = context_of(clients, f"t{uuid.uuid4().hex[:10]}")
    for call, arguments in (
        (service.get, ()),
        (service.extend, (RequestExtend(reason=WHY),)),
        (verification.issue, ()),
        (verification.verify, (CodeGiven(code="x"),)),
        (starting.start, (RequestStart(),)),
    ):
        found = refusal(call, stranger, request.request_id, *arguments)
        assert isinstance(found, NotFound)
    assert service.listed(stranger, RequestListQuery()).items == []
    assert restriction_of(stranger, Subject(email="jane.doe@example.com")).restricted is False


def test_lists_filter(context: Context) -> None:
    access = received(context)
    objection = received(context, "objection")
    starting.start(context, objection.request_id, RequestStart(), NOW)

    def ids(**filters: str) -> list[uuid.UUID]:
        return [each.request_id for each in service.listed(context, RequestListQuery.model_validate(filters)).items]

    assert ids(status="done") == [objection.request_id]
    assert ids(type="access", status="received") == [access.request_id]
    assert ids(deadline="running") == [access.request_id]
    assert ids(type="erasure") == []


def test_late_requests_are_told_once(context: Context, clients: Clients) -> None:
    late, extended, answered = received(context), received(context), received(context)
    service.extend(context, extended.request_id, RequestExtend(reason=WHY), NOW)
    service.refuse(context, answered.request_id, RequestRefuse(reason="Not to be answered."), NOW)
    platform, due = operator_context(clients), NOW + timedelta(days=30)
    overdue.tell_overdue(platform, due - timedelta(seconds=1))
    assert service.get(context, late.request_id).value.deadline == "running"
    assert overdue.tell_overdue(platform, due) >= 1
    assert overdue.tell_overdue(platform, due) == 0
    states = [service.get(context, each.request_id).value.deadline for each in (late, extended, answered)]
    assert states == ["overdue", "running", "met"]


def test_a_conflict_names_the_state(context: Context) -> None:
    request = verified(context, received(context))
    starting.start(context, request.request_id, RequestStart(), NOW)
    with pytest.raises(Conflict) as started:
        starting.start(context, request.request_id, RequestStart(), NOW)
    assert started.value.code == "already_started"
    with pytest.raises(Conflict) as running:
        service.refuse(context, request.request_id, RequestRefuse(reason="Changed our minds."), NOW)
    assert running.value.code == "privacy_job_running"
