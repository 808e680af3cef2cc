"""Rotation: new keys seal, old ones still open, nobody waits, and what is stored is sealed anew."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common import technical
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.crypto import digests, envelope, keys, rotation
from common.crypto.wrapping import key_line
from common.settings import Settings
from tests.common.crypto.test_envelope import PLACE, context_of

NOW = timedelta(0)


@pytest.fixture
def tenant(clients: Clients) -> Context:
    context = context_of(clients, f"t{uuid.uuid4().hex[:12]}")
    keys.ensure(context, context.tenant_id)
    return context


@pytest.fixture
def process(settings: Settings, tenant: Context) -> Callable[[], Context]:
    """Another process of the same deployment, which remembers nothing yet."""
    return lambda: context_of(Clients(settings), tenant.tenant_id)


def test_a_new_key_seals_and_the_old_one_opens(tenant: Context, process: Callable[[], Context]) -> None:
    elsewhere = process()
    old = envelope.seal(elsewhere, b"one", associated=PLACE)
    digest = digests.keyed(tenant, "suppression", "a@example.com")
    done = rotation.rotate(tenant, tenant.tenant_id, new_after=NOW)
    assert done == rotation.Rotation(current="2", is_new=True, rewrapped=0)
    new = envelope.seal(tenant, b"two", associated=PLACE)
    assert new.startswith("xe1.2.")
    # The other process has read the keys before the rotation, and finds out by itself.
    assert envelope.opened(elsewhere, new, associated=PLACE) == b"two"
    assert envelope.opened(elsewhere, old, associated=PLACE) == b"one"
    assert digests.keyed(process(), "suppression", "a@example.com") == digest
    assert not envelope.is_current(tenant, old)
    renewed = envelope.renewed(tenant, old, associated=PLACE)
    assert (renewed.startswith("xe1.2."), envelope.opened(tenant, renewed, associated=PLACE)) == (True, b"one")
    assert envelope.renewed(tenant, renewed, associated=PLACE) == renewed


def test_keys_are_wrapped_under_the_newest_key_encryption_key(
    tenant: Context, process: Callable[[], Context], settings: Settings
) -> None:
    sealed = envelope.seal(tenant, b"one", associated=PLACE)
    file = Path(settings.kms_key.removeprefix("file:"))
    before = file.read_text(encoding="ascii")
    try:
        file.write_text(before + key_line("newest"), encoding="ascii")
        done = rotation.rotate(tenant, tenant.tenant_id)
        assert done == rotation.Rotation(current="1", is_new=False, rewrapped=2)
        # The old key-encryption key may go now.
        file.write_text(file.read_text(encoding="ascii").removeprefix(before), encoding="ascii")
        assert envelope.opened(process(), sealed, associated=PLACE) == b"one"
        rotation.rotate(tenant, tenant.tenant_id)
    finally:
        file.write_text(before + file.read_text(encoding="ascii").removeprefix(before), encoding="ascii")


def test_of_rotations_at_once_one_makes_the_new_key(tenant: Context, process: Callable[[], Context]) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(
            pool.map(lambda each: rotation.rotate(each, tenant.tenant_id, new_after=NOW), [process() for _ in range(3)])
        )
    assert all(done)
    document = technical.read(tenant, keys.path_of(tenant.tenant_id))
    assert document is not None
    # Whoever read after another's commit rotates once more; nobody overwrites a version.
    assert len(document[0]["keys"]) == 1 + sum(each.is_new for each in done if each)
    assert document[0]["current"] == str(len(document[0]["keys"]))


def test_reading_and_sealing_go_on_while_keys_rotate(tenant: Context, process: Callable[[], Context]) -> None:
    over = threading.Event()

    def work(context: Context) -> int:
        count = 0
        while not over.is_set() or count < 3:
            text = str(count).encode()
            sealed = envelope.seal(context, text, associated=PLACE)
            reader = tenant if count % 2 else context
            assert envelope.opened(reader, sealed, associated=PLACE) == text
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(work, process()) for _ in range(3)]
        for _ in range(3):
            rotation.rotate(tenant, tenant.tenant_id, new_after=NOW)
        over.set()
        assert all(each.result() >= 3 for each in running)
    assert envelope.seal(process(), b"", associated=PLACE).startswith("xe1.4.")


def test_two_processes_that_ensure_at_once_agree(settings: Settings) -> None:
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    processes = [context_of(Clients(settings), tenant_id) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        sealed = list(pool.map(lambda each: envelope.seal(each, b"text", associated=PLACE), processes))
    for text in sealed:
        for each in processes:
            assert envelope.opened(each, text, associated=PLACE) == b"text"


def test_destroyed_and_missing_keys_are_left_alone(tenant: Context) -> None:
    assert rotation.rotate(tenant, "nobody") is None
    keys.destroy(tenant, tenant.tenant_id)
    assert rotation.rotate(tenant, tenant.tenant_id, new_after=NOW) is None
    assert technical.read(tenant, keys.path_of("nobody")) is None


def test_what_is_not_due_is_not_started(tenant: Context) -> None:
    collection = tenant.clients.get(firestore_client).collection(technical.DATA_KEYS.path)
    checked = collection.document(tenant.tenant_id).get().get("checked_at")
    assert datetime.now(UTC) - checked < timedelta(minutes=5)
    assert rotation.start_due(tenant, checked + rotation.WRAPPED_EVERY - timedelta(hours=1)) == 0
