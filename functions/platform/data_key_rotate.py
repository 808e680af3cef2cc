"""Rotate the data keys of one tenant."""

from common.context import Context
from common.crypto import rotation
from common.crypto.rotation import RotationTask
from triggers import task


@task.handler(
    while_resting=True,
    timeout=1800,
    concurrency=4,
    dispatches_per_second=2,
    concurrent_dispatches=10,
    needs={
        "firestore:write": "Stores the wrapped keys, and secrets that were sealed anew.",
        "kms:use": "Unwraps the tenant's keys and wraps them under the newest key-encryption key.",
    },
)
def data_key_rotate(body: RotationTask, context: Context) -> None:
    """Wrap a tenant's keys anew, make a new version every 90 days, and seal stored secrets anew; repeatable."""
    rotation.rotate_tenant(context, body)
