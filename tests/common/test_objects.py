"""Files in the Cloud Storage emulator: under the tenant's prefix, whole, in chunks, and nowhere else."""

from __future__ import annotations

import contextlib
import os
import uuid

import pytest
from google.api_core.exceptions import Conflict as BucketExists

from common import objects
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import Context
from tests.common.things import context_of


@pytest.fixture
def bucket(clients: Clients) -> str:
    name = clients.settings.report_bucket
    with contextlib.suppress(BucketExists):
        clients.get(storage_client).create_bucket(name)
    return name


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:12]}")


@pytest.mark.parametrize("size", [0, 1, objects.CHUNK - 1, objects.CHUNK, objects.CHUNK + 1, 2 * objects.CHUNK + 7])
def test_a_file_comes_back_whole_and_in_chunks(context: Context, bucket: str, size: int) -> None:
    content = os.urandom(size)
    name = objects.write(context, bucket, "folder/file.bin", content, "application/octet-stream")
    assert name == f"{context.tenant_id}/folder/file.bin"
    assert objects.read(context, bucket, "folder/file.bin") == content
    chunks = objects.stream(context, bucket, "folder/file.bin")
    assert chunks is not None
    assert b"".join(chunks) == content


def test_files_are_replaced_listed_and_deleted(context: Context, bucket: str) -> None:
    for path in ("jobs/1/b.csv", "jobs/1/a.csv", "jobs/10/c.csv"):
        objects.write(context, bucket, path, b"old", "text/csv")
    objects.write(context, bucket, "jobs/1/a.csv", b"new", "text/csv")
    assert objects.paths(context, bucket, "jobs/1") == ["jobs/1/a.csv", "jobs/1/b.csv"]
    assert objects.read(context, bucket, "jobs/1/a.csv") == b"new"
    for _ in range(2):
        objects.delete(context, bucket, "jobs/1/a.csv")
    assert objects.read(context, bucket, "jobs/1/a.csv") is None
    assert objects.stream(context, bucket, "jobs/1/a.csv") is None
    assert not objects.exists(context, bucket, "jobs/1/a.csv")


def test_another_tenant_sees_nothing(context: Context, bucket: str, clients: Clients) -> None:
    objects.write(context, bucket, "secret.txt", b"x", "text/plain")
    other = context_of(clients, "intruder")
    assert objects.read(other, bucket, "secret.txt") is None
    assert objects.paths(other, bucket, "jobs") == []
    for path in (f"../{context.tenant_id}/secret.txt", "", "/x", "a//b", "a/../b", ".hidden", "a\nb", "é"):
        with pytest.raises(ValueError, match="no path"):
            objects.read(other, bucket, path)
