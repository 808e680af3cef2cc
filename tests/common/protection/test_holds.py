"""Legal holds: what they keep is refused in writing, until they are released."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, Locked, NotFound, Unprocessable
from common.platform.privacy import holds
from common.platform.privacy.hold_models import HoldListQuery, HoldPlace, HoldRelease
from common.protection.holds import require_none, require_none_at_all, that_keep
from common.protection.models import LegalHold
from common.protection.subjects import Subject, digests_of
from tests.common.things import context_of

REASON = "Litigation Doe v. Acme, order of the court of 12 January."
SETTLED = HoldRelease(reason="The claim was settled.")


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:10]}")


def placed(context: Context, **fields: object) -> LegalHold:
    body = HoldPlace.model_validate({"reason": REASON, **fields})
    return holds.place(context, body).content.value


def test_a_hold_on_somebody_unknown_keeps_whatever_may_come(context: Context) -> None:
    hold = placed(context, scope="subject", subject={"email": "Nobody@Example.com"})
    assert "nobody" not in hold.model_dump_json()
    mine = digests_of(context, Subject(email="nobody@example.com"))
    with pytest.raises(Locked) as refused:
        require_none(context, mine, entities=["user"])
    error = refused.value
    assert (error.status, error.code, error.audited) == (423, "legal_hold", True)
    assert error.details == {"reason": REASON, "hold_ids": [str(hold.hold_id)]}
    assert REASON in error.detail
    require_none(context, digests_of(context, Subject(email="other@example.com")))
    with pytest.raises(Locked):
        require_none_at_all(context)
    holds.release(context, hold.hold_id, SETTLED)
    require_none(context, mine)
    require_none_at_all(context)


def test_a_hold_on_a_kind_of_record_keeps_it_from_whoever_cannot_say_otherwise(context: Context) -> None:
    placed(context, scope="entity", entity="keyword")
    require_none(context, entities=["user"])
    for concerned in (["keyword", "user"], None):
        with pytest.raises(Locked):
            require_none(context, entities=concerned)


def test_a_hold_on_the_tenant_keeps_everything_of_this_tenant(context: Context, clients: Clients) -> None:
    placed(context, scope="tenant")
    with pytest.raises(Locked):
        require_none(context, entities=[])
    require_none_at_all(context_of(clients, f"t{uuid.uuid4().hex[:10]}"))


def test_a_hold_is_released_once_with_a_reason_and_by_its_tenant(context: Context, clients: Clients) -> None:
    hold = placed(context, scope="tenant")
    with pytest.raises(NotFound):
        holds.release(context_of(clients, "thief"), hold.hold_id, SETTLED)
    released = holds.release(context, hold.hold_id, SETTLED).value
    assert (released.status, released.release_reason, released.reason) == ("released", SETTLED.reason, REASON)
    with pytest.raises(Conflict) as again:
        holds.release(context, hold.hold_id, SETTLED)
    assert again.value.code == "already_released"
    listed = holds.listed(context, HoldListQuery(status="released")).items
    assert [each.hold_id for each in listed] == [hold.hold_id]
    assert holds.listed(context, HoldListQuery(status="active")).items == []
    assert holds.get(context, hold.hold_id).value == released


@pytest.mark.parametrize(
    "fields",
    [
        {"scope": "subject"},
        {"scope": "entity"},
        {"scope": "tenant", "entity": "keyword"},
        {"scope": "subject", "subject": {"user_id": "u"}, "entity": "keyword"},
        {"scope": "subject", "subject": {}},
        {"scope": "subject", "subject": {"email": "no address"}},
        {"scope": "everything"},
        {"scope": "tenant", "reason": "because"},
    ],
)
def test_what_is_no_hold_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HoldPlace.model_validate({"reason": REASON, **fields})


def test_a_hold_on_records_that_do_not_exist_is_refused(context: Context) -> None:
    with pytest.raises(Unprocessable) as refused:
        placed(context, scope="entity", entity="keywords")
    assert (refused.value.code, refused.value.errors[0].pointer) == ("unknown_entity", "/entity")


subjects = st.sets(st.sampled_from("abcd"), max_size=3)
kinds = st.sampled_from(["keyword", "user", "job"])


@given(
    some=st.lists(st.tuples(st.sampled_from(["subject", "entity", "tenant"]), subjects, kinds), max_size=5),
    asked=subjects,
    touched=st.none() | st.sets(kinds),
)
def test_more_asked_never_means_less_kept(
    some: list[tuple[str, set[str], str]], asked: set[str], touched: set[str] | None
) -> None:
    made = [
        LegalHold.model_validate(
            {
                "scope": scope,
                "subject_digests": sorted(who),
                "entity": kind,
                "reason": REASON,
                "hold_id": uuid.uuid4(),
                "tenant_id": "t",
                "placed_at": datetime.now(UTC),
                "placed_by": "u",
            }
        )
        for scope, who, kind in some
    ]
    kept = that_keep(made, asked, touched)
    assert all(each in that_keep(made, {*asked, "a", "b", "c", "d"}, None) for each in kept)
    assert all(each in kept for each in made if each.scope == "tenant")
    assert all(each in kept for each in made if each.scope == "subject" and asked & set(each.subject_digests))
