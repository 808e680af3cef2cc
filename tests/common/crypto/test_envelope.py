"""Sealed texts: they open where they were sealed and nowhere else, through rotation, and never after destruction."""

from __future__ import annotations

import base64
import dataclasses
import logging
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.crypto import digests, envelope, keys
from common.errors import SealBroken, Unavailable
from common.settings import Settings
from tests.common.security import without_firestore
from triggers.local.key_file import key_file


def context_of(clients: Clients, tenant_id: str) -> Context:
    return Context(
        function="test",
        tenant_id=tenant_id,
        principal=Principal(kind="service", id="test"),
        clients=clients,
        deadline=Deadline.after(600),
    )


@pytest.fixture(scope="module")
def acme(clients: Clients) -> Context:
    return context_of(clients, "acme")


@pytest.fixture(scope="module")
def other(clients: Clients) -> Context:
    return context_of(clients, "other")


PLACE = envelope.place("account", "7", "refresh_token")


def code_of(context: Context, sealed: str, associated: str = PLACE) -> str:
    with pytest.raises(SealBroken) as broken:
        envelope.opened(context, sealed, associated=associated)
    return broken.value.code


@examples(max_examples=60, deadline=None)
@given(plain=st.binary(max_size=300), associated=st.text(max_size=40))
def test_what_is_sealed_opens_and_no_two_seals_are_alike(acme: Context, plain: bytes, associated: str) -> None:
    one, two = (envelope.seal(acme, plain, associated=associated) for _ in range(2))
    assert one != two
    assert envelope.opened(acme, one, associated=associated) == plain
    assert len(plain) < 4 or base64.urlsafe_b64encode(plain).decode().strip("=") not in one


@examples(max_examples=60, deadline=None)
@given(data=st.data(), plain=st.binary(max_size=40))
def test_no_bit_of_it_can_be_changed(acme: Context, data: st.DataObject, plain: bytes) -> None:
    head, version, text = envelope.seal(acme, plain, associated=PLACE).split(".")
    content = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    position = data.draw(st.integers(0, len(content) * 8 - 1))
    content[position // 8] ^= 1 << position % 8
    changed = base64.urlsafe_b64encode(bytes(content)).rstrip(b"=").decode()
    assert code_of(acme, f"{head}.{version}.{changed}") == "seal_not_authentic"


@examples(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_part_of_it_can_be_left_out(acme: Context, data: st.DataObject) -> None:
    sealed = envelope.seal(acme, b"a token", associated=PLACE)
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    assert code_of(acme, cut) in {"seal_malformed", "seal_not_authentic"}


@examples(max_examples=40, deadline=None)
@given(text=st.text(max_size=80))
def test_whatever_is_no_seal_is_told_so(acme: Context, text: str) -> None:
    assert code_of(acme, text) in {"seal_malformed", "seal_key_unknown", "seal_not_authentic"}


def test_it_cannot_be_moved_to_another_tenant_record_or_field(acme: Context, other: Context) -> None:
    sealed = envelope.seal(acme, b"a token", associated=PLACE)
    envelope.seal(other, b"so that both have a key 1", associated=PLACE)
    assert code_of(other, sealed) == "seal_not_authentic"
    assert code_of(acme, sealed, envelope.place("account", "8", "refresh_token")) == "seal_not_authentic"
    assert code_of(acme, sealed, envelope.place("account", "7", "access_token")) == "seal_not_authentic"
    assert code_of(acme, sealed.replace("xe1.1.", "xe1.2.")) == "seal_key_unknown"


def test_a_tenant_that_got_anothers_key_still_opens_nothing(acme: Context, settings: Settings) -> None:
    """Whoever can write the database copies the wrapped key; whoever is mistaken in the code hands over the ring."""
    sealed = envelope.seal(acme, b"a token", associated=PLACE)
    thief = context_of(Clients(settings), f"t{uuid.uuid4().hex[:12]}")
    client = acme.clients.get(firestore_client)
    copied = client.document(keys.path_of("acme")).get().to_dict()
    client.document(keys.path_of(thief.tenant_id)).set(copied)
    assert code_of(thief, sealed) == "wrapped_key_not_authentic"

    class Mistaken(keys.KeyMemory):
        def ring(self, context: Context, tenant_id: str) -> keys.Ring | None:
            del tenant_id
            return super().ring(context, "acme")

    mistaken: keys.KeyMemory = Mistaken()
    thief.clients.replace(keys.key_memory, mistaken)
    assert code_of(thief, sealed) == "seal_not_authentic"


@given(one=st.tuples(st.text(), st.text(), st.text()), two=st.tuples(st.text(), st.text(), st.text()))
def test_places_do_not_run_into_one_another(one: tuple[str, str, str], two: tuple[str, str, str]) -> None:
    assert (envelope.place(*one) == envelope.place(*two)) is (one == two)


def test_the_stored_keys_open_nothing_under_another_key_encryption_key(
    acme: Context, settings: Settings, tmp_path: Path
) -> None:
    sealed = envelope.seal(acme, b"a token", associated=PLACE)
    thief = Clients(dataclasses.replace(settings, kms_key=f"file:{key_file(tmp_path)}"))
    assert code_of(context_of(thief, "acme"), sealed) == "wrapped_key_not_authentic"


def test_a_destroyed_key_is_destroyed_for_good(clients: Clients, settings: Settings) -> None:
    tenant = context_of(clients, f"t{uuid.uuid4().hex[:12]}")
    keys.ensure(tenant, tenant.tenant_id)
    sealed = envelope.seal(tenant, b"a token", associated=PLACE)
    digest = digests.keyed(tenant, "suppression", "a@example.com")
    keys.destroy(tenant, tenant.tenant_id)
    keys.destroy(tenant, tenant.tenant_id)
    for process in (tenant, context_of(Clients(settings), tenant.tenant_id)):
        assert code_of(process, sealed) == "key_destroyed"
        for use in (
            lambda: envelope.seal(process, b"more", associated=PLACE),  # noqa: B023  # called at once
            lambda: digests.keyed(process, "suppression", "a@example.com"),  # noqa: B023
            lambda: keys.ensure(process, tenant.tenant_id),  # noqa: B023
        ):
            with pytest.raises(SealBroken, match="destroyed"):
                use()
    assert len(digest) == 64


def test_a_process_forgets_a_destroyed_key_within_five_minutes(clients: Clients, settings: Settings) -> None:
    here = context_of(clients, f"t{uuid.uuid4().hex[:12]}")
    elsewhere, now = context_of(Clients(settings), here.tenant_id), [0.0]
    elsewhere.clients.replace(keys.key_memory, keys.KeyMemory(clock=lambda: now[0]))
    sealed = envelope.seal(elsewhere, b"a token", associated=PLACE)
    ring = keys.ring_of(elsewhere, here.tenant_id)
    keys.destroy(here, here.tenant_id)
    assert code_of(here, sealed) == "key_destroyed"
    # What the documentation admits: another process goes on until it asks again.
    assert envelope.opened(elsewhere, sealed, associated=PLACE) == b"a token"
    now[0] = keys.MEMORY + 1
    without_firestore(elsewhere.clients)
    with pytest.raises(Unavailable):
        envelope.opened(elsewhere, sealed, associated=PLACE)
    assert sys.getrefcount(ring) == 2, "nothing holds the unwrapped key any more"
    elsewhere.clients.replace(firestore_client, clients.get(firestore_client))
    assert code_of(elsewhere, sealed) == "key_destroyed"


def test_nothing_in_the_clear_is_shown_by_accident(acme: Context, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        envelope.seal(acme, b"plain-secret-text", associated=PLACE)
    ring = keys.ring_of(acme, "acme")
    shown = repr(ring) + caplog.text
    assert ring.key(acme, ring.current).hex() not in shown
    assert repr(ring.key(acme, ring.current)) not in shown
    assert "plain-secret-text" not in shown
