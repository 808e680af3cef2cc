"""Rotation of data keys on the local cloud: a schedule starts what is due, a task for each tenant does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.clients.firestore import firestore_client
from common.context import Context, Deadline, Principal
from common.crypto import envelope, keys
from tests.stack import Stack


def test_keys_that_are_due_are_rotated(cloud: Stack) -> None:
    tenant_id = cloud.tenant().tenant_id
    context = Context(
        function="test",
        tenant_id=tenant_id,
        principal=Principal(kind="service", id="test"),
        clients=cloud.clients,
        deadline=Deadline.after(600),
    )
    place = envelope.place("account_token", "of-a-test", "refresh_token")
    sealed = envelope.seal(context, b"kept", associated=place)
    client = cloud.clients.get(firestore_client)
    reference = client.document(keys.path_of(tenant_id))
    # Nobody asks for the document's other fields: what holds a sealed secret is found by its declaration.
    stored = client.document("account_tokens/of-a-test")
    stored.set({"tenant_id": tenant_id, "account_id": "of-a-test", "refresh_token": sealed, "schema_version": 1})
    long_ago = datetime.now(UTC) - timedelta(days=120)
    reference.update({"checked_at": long_ago, "rotated_at": long_ago})
    cloud.fire("platform-data-key-rotation")  # makes a task for platform-data-key-rotate
    cloud.wait_for(lambda: reference.get().get("current") == "2", what="a new key is made")
    cloud.wait_for(lambda: stored.get().get("refresh_token") != sealed, what="the secret is sealed anew")
    renewed = stored.get().get("refresh_token")
    assert renewed.startswith("xe1.2.")
    for text in (sealed, renewed):
        assert envelope.opened(context, text, associated=place) == b"kept"
    assert reference.get().get("checked_at") > datetime.now(UTC) - timedelta(hours=1)
    stored.delete()
    log = (cloud.local.folder / "logs" / "host.log").read_text(encoding="utf-8")
    assert "platform-data-key-rotate" in log
    assert "kept" not in [line for line in log.splitlines() if "data keys rotated" in line][-1]
