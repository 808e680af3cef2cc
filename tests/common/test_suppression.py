"""The suppression list: whoever is on it is found in any spelling, and nobody can be read from it."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from google.cloud.firestore_v1.base_query import FieldFilter
from pydantic import ValidationError

from common import suppression
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.crypto import keys, rotation
from common.email_address import normalised_email
from common.errors import NotFound, SealBroken
from common.platform.privacy import suppressions
from common.platform.privacy.suppression_models import (
    SuppressionAdd,
    SuppressionCheck,
    SuppressionImport,
    SuppressionListQuery,
)
from common.store import transact
from tests.common.things import context_of


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:10]}")


def stored(context: Context) -> str:
    collection = context.clients.get(firestore_client).collection("suppressions")
    mine = collection.where(filter=FieldFilter("tenant_id", "==", context.tenant_id))
    return json.dumps([snapshot.to_dict() for snapshot in mine.stream()], default=str)


@pytest.mark.parametrize(
    "spelling", ["Jane.Doe@Example.com", " jane.doe@example.COM ", "jane.doe@\uff45xample.com", "JANE.DOE@EXAMPLE.COM"]
)
def test_every_spelling_of_an_address_is_suppressed(context: Context, spelling: str) -> None:
    suppression.add(context, "jane.doe@example.com", "newsletter")
    assert normalised_email(spelling) == "jane.doe@example.com"
    assert suppression.is_suppressed(context, spelling, "newsletter")
    assert not suppression.is_suppressed(context, spelling, "invoices")
    assert not suppression.is_suppressed(context, f"x{spelling.strip()}", "newsletter")


def test_everything_covers_every_purpose_and_no_address_is_kept(context: Context, clients: Clients) -> None:
    first = suppression.add(context, "jane.doe@example.com", reason="erasure")
    assert suppression.add(context, "JANE.DOE@example.com", reason="manual") == first
    assert suppression.is_suppressed(context, "jane.doe@example.com", "whatever")
    assert "jane" not in stored(context)
    assert "example" not in stored(context)
    other = context_of(clients, f"t{uuid.uuid4().hex[:10]}")
    assert not suppression.is_suppressed(other, "jane.doe@example.com", "whatever")
    assert suppression.digest_of(other, "jane.doe@example.com") != first.digest


def test_the_list_survives_the_rotation_of_keys_and_dies_with_them(context: Context) -> None:
    suppression.add(context, "jane.doe@example.com")
    assert rotation.rotate(context, context.tenant_id, new_after=timedelta(0)) is not None
    assert suppression.is_suppressed(context, "jane.doe@example.com", "newsletter")
    keys.destroy(context, context.tenant_id)
    with pytest.raises(SealBroken):
        suppression.is_suppressed(context, "jane.doe@example.com", "newsletter")


@pytest.mark.parametrize("text", ["", "jane", "jane@", "@example.com", "a b@example.com", "jane@localhost", "x" * 400])
def test_what_is_no_address_is_refused(context: Context, text: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail|part"):
        suppression.add(context, text)
    with pytest.raises(ValidationError):
        SuppressionAdd.model_validate({"email": text})
    with pytest.raises(ValidationError):
        SuppressionCheck.model_validate({"email": text, "purpose": "newsletter"})


def test_an_import_takes_what_is_good_and_names_the_rest_by_position(context: Context) -> None:
    suppression.add(context, "known@example.com", "newsletter")
    emails = ["a@example.com", "nonsense", "A@Example.com", "known@example.com", "b@example.com", ""]
    body = SuppressionImport.model_validate({"emails": emails, "purpose": "newsletter", "note": "old tool"})
    done = suppressions.imported(context, body)
    assert (done.added, done.known) == (2, 2)
    assert [each.pointer for each in done.refused] == ["/emails/1", "/emails/5"]
    assert "nonsense" not in done.model_dump_json()
    assert suppression.is_suppressed(context, "b@example.com", "newsletter")
    again = suppressions.imported(context, body)
    assert (again.added, again.known) == (0, 4)
    page = suppressions.listed(context, SuppressionListQuery(purpose="newsletter", limit=2))
    assert len(page.items) == 2
    assert page.next_cursor
    assert not {"digest", "email"} & set(page.items[0].model_dump())
    assert suppressions.listed(context, SuppressionListQuery(purpose="all")).items == []


def test_an_import_is_bounded() -> None:
    with pytest.raises(ValidationError):
        SuppressionImport(emails=["a@example.com"] * 1001)
    with pytest.raises(ValidationError):
        SuppressionImport(emails=[])


def test_an_entry_is_removed_by_its_own_tenant(context: Context, clients: Clients) -> None:
    entry = suppressions.add(context, SuppressionAdd(email="jane@example.com", purpose="newsletter")).content.value
    with pytest.raises(NotFound):
        suppressions.remove(context_of(clients, "thief"), entry.suppression_id)
    suppressions.remove(context, entry.suppression_id)
    assert not suppression.is_suppressed(context, "jane@example.com", "newsletter")
    with pytest.raises(NotFound):
        suppressions.remove(context, entry.suppression_id)


def test_an_address_can_be_added_within_another_transaction(context: Context) -> None:
    def work(work):  # type: ignore[no-untyped-def]
        suppression.add(context, "jane@example.com", "a", work=work)
        suppression.add(context, "jane@example.com", "b", work=work)

    transact(context, work)
    assert suppression.is_suppressed(context, "jane@example.com", "a")
    assert suppression.is_suppressed(context, "jane@example.com", "b")
