"""The consent ledger: what holds follows from what was said, in whatever order it was entered."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common.clients.registry import Clients
from common.context import Context
from common.errors import Unprocessable
from common.platform.privacy.consents import service
from common.platform.privacy.consents.models import (
    ConsentInput,
    ConsentListQuery,
    ConsentLookup,
    ConsentRecord,
    PurposeState,
    Standing,
)
from common.protection.restrictions import restriction_of
from common.protection.subjects import Subject
from common.suppression import add, is_suppressed
from tests.common.things import context_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
JANE = "jane.doe@example.com"
Said = tuple[int, str]
"""Hours after ``NOW - 100 hours``, and what was said."""


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:10]}")


def say(context: Context, hour: int, action: str, purpose: str = "newsletter", **subject: str) -> ConsentRecord:
    body = {
        "subject": subject or {"email": JANE},
        "purpose": purpose,
        "action": action,
        "at": NOW - timedelta(hours=100 - hour),
        "source": "signup form",
        "proof": "double opt-in",
    }
    return service.record(context, ConsentInput.model_validate(body), NOW).content.value


def standing(context: Context, **subject: str) -> Standing:
    return service.standing(context, ConsentLookup.model_validate({"subject": subject or {"email": JANE}}))


def newsletter(context: Context) -> PurposeState:
    [state] = standing(context).purposes
    return state


def expected(said: Sequence[Said]) -> str:
    """Return what holds, told independently: the last hour decides, and on a tie the withdrawal."""
    last = max(hour for hour, _ in said)
    return "withdrawn" if any(each == (last, "withdrawn") for each in said) else "given"


@examples(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["given", "withdrawn"])), min_size=1, max_size=4
    ).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found)))
)
def test_the_order_of_entry_makes_no_difference(clients: Clients, said: tuple[list[Said], list[Said]]) -> None:
    outcomes = []
    for order in said:
        context = context_of(clients, f"t{uuid.uuid4().hex[:10]}")
        for hour, action in order:
            say(context, hour, action)
        state = newsletter(context)
        stopped = is_suppressed(context, JANE, "newsletter")
        forbidden = restriction_of(context, Subject(email=JANE)).forbids("newsletter")
        assert stopped is forbidden is not state.allowed
        outcomes.append((state.action, state.at, stopped))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == expected(said[0])


@given(
    at=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["given", "withdrawn"])), min_size=2, max_size=5),
)
def test_statements_are_totally_ordered(at: list[Said]) -> None:
    records = [
        ConsentRecord.model_validate(
            {
                "record_id": uuid.UUID(int=number),
                "at": NOW + timedelta(hours=hour),
                "action": action,
                "tenant_id": "t",
                "purpose": "p",
                "legal_basis": "consent",
                "source": "form",
                "recorded_at": NOW,
                "recorded_by": "u",
            }
        )
        for number, (hour, action) in enumerate(at)
    ]
    for one in records:
        for other in records:
            assert service.outranks(one, other) + service.outranks(other, one) == (one is not other)


def test_a_withdrawal_stops_the_use_of_one_purpose_only(context: Context) -> None:
    say(context, 1, "given")
    say(context, 1, "given", "profiling")
    say(context, 2, "withdrawn")
    found = {state.purpose: state for state in standing(context).purposes}
    assert (found["newsletter"].allowed, found["newsletter"].suppressed) == (False, True)
    assert (found["profiling"].allowed, found["profiling"].suppressed) == (True, False)
    say(context, 3, "given")
    assert newsletter_of(standing(context)).allowed


def newsletter_of(found: Standing) -> PurposeState:
    return next(state for state in found.purposes if state.purpose == "newsletter")


def test_a_withdrawal_before_anything_was_given_counts(context: Context) -> None:
    say(context, 5, "withdrawn")
    assert is_suppressed(context, JANE, "newsletter")
    say(context, 4, "given")
    assert newsletter(context).action == "withdrawn"
    assert is_suppressed(context, JANE, "newsletter")


def test_consent_given_again_takes_back_nothing_but_the_withdrawal(context: Context) -> None:
    add(context, JANE, "newsletter", reason="complaint")
    say(context, 1, "withdrawn")
    say(context, 2, "given")
    assert is_suppressed(context, JANE, "newsletter"), "a complaint is not a withdrawal"
    assert not newsletter(context).allowed


def test_a_statement_of_the_future_is_refused(context: Context) -> None:
    with pytest.raises(Unprocessable) as refused:
        say(context, 101, "given")
    assert refused.value.code == "consent_in_future"
    assert refused.value.errors[0].pointer == "/at"
    assert standing(context).purposes == []


def test_identifiers_of_one_person_are_considered_together(context: Context) -> None:
    say(context, 1, "given", email=JANE, user_id="u1")
    say(context, 2, "withdrawn", user_id="u1")
    assert not newsletter_of(standing(context, email=JANE, user_id="u1")).allowed
    assert restriction_of(context, Subject(email="other@example.com", user_id="u1")).forbids("newsletter")


def test_the_history_is_listed_by_digest_and_purpose(context: Context, clients: Clients) -> None:
    first, second = say(context, 1, "given"), say(context, 2, "withdrawn", "profiling")
    say(context, 3, "given", email="max@example.com")
    digest = standing(context).email_digest

    def ids(**filters: object) -> list[uuid.UUID]:
        return [each.record_id for each in service.listed(context, ConsentListQuery.model_validate(filters)).items]

    assert ids(email_digest=digest) == [second.record_id, first.record_id]
    assert ids(email_digest=digest, purpose="profiling") == [second.record_id]
    assert len(ids()) == 3
    stranger = context_of(clients, "stranger")
    assert service.listed(stranger, ConsentListQuery.model_validate({"email_digest": digest})).items == []


def test_what_stays_after_an_erasure_proves_lawfulness(context: Context) -> None:
    """The digests are what the record keeps when address and proof are cleared: the lookup still finds it."""
    record = say(context, 1, "given")
    cleared = record.model_copy(update={"email": None, "user_id": None, "proof": None})
    assert cleared.email_digest == standing(context).email_digest
    assert JANE not in cleared.model_dump_json()
