"""Keyed digests: equal for equal values of a tenant and purpose, and for nothing else."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common.clients.registry import Clients
from common.crypto import digests
from common.settings import Settings
from tests.common.crypto.test_envelope import context_of


@given(pepper=st.binary(min_size=32, max_size=32), purpose=st.text(max_size=30))
def test_subkeys_are_those_of_the_standard(pepper: bytes, purpose: str) -> None:
    info = b"xynergy/digest/" + purpose.encode()
    assert digests.subkey(pepper, purpose) == HKDFExpand(SHA256(), 32, info).derive(pepper)


@examples(max_examples=40, deadline=None)
@given(one=st.tuples(st.sampled_from("ab"), st.text(max_size=9)), two=st.tuples(st.sampled_from("ab"), st.text()))
def test_a_digest_tells_values_and_purposes_apart(clients: Clients, one: tuple[str, str], two: tuple[str, str]) -> None:
    context = context_of(clients, "acme")
    assert (digests.keyed(context, *one) == digests.keyed(context, *two)) is (one == two)


def test_tenants_cannot_compare_and_processes_can(clients: Clients, settings: Settings) -> None:
    mine = digests.keyed(context_of(clients, "acme"), "suppression", "a@example.com")
    assert digests.keyed(context_of(Clients(settings), "acme"), "suppression", "a@example.com") == mine
    assert digests.keyed(context_of(clients, "other"), "suppression", "a@example.com") != mine
