"""Files in Cloud Storage, each under its tenant's prefix."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

import requests
from google.api_core import exceptions
from google.auth.exceptions import TransportError
from google.cloud.storage.retry import DEFAULT_RETRY

from common.clients.storage import storage_client
from common.context import Context
from common.errors import Unavailable

SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
CHUNK = 1_048_576
PATIENCE = 30.0

UPLOAD_CHUNK = 8 * 1_048_576
"""Bytes of one request of a streamed upload; held in memory."""

TRANSIENT = (
    exceptions.ServerError,
    exceptions.TooManyRequests,
    exceptions.RetryError,
    requests.ConnectionError,
    requests.Timeout,
    TransportError,
)


def object_name(context: Context, path: str) -> str:
    """Return the name of an object: ``{tenant}/{path}``.

    Raises:
        ValueError: A segment of the path could be misread.
    """
    segments = path.split("/")
    if not all(SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError(f"{path!r} is no path of an object")
    return "/".join([context.tenant_id, *segments])


def write(context: Context, bucket: str, path: str, content: bytes, content_type: str) -> str:
    """Store an object, replacing what was there; return its full name.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    name = object_name(context, path)
    blob = context.clients.get(storage_client).bucket(bucket).blob(name)
    _bounded(context, blob.upload_from_string, content, content_type=content_type)
    return name


def create(context: Context, bucket: str, path: str, content: bytes, content_type: str) -> bool:
    """Store an object that must not be there yet; tell whether it was stored.

    False also where an earlier attempt of this call stored it and the answer was lost: compare the content.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    blob = context.clients.get(storage_client).bucket(bucket).blob(object_name(context, path))
    try:
        _bounded(context, blob.upload_from_string, content, content_type=content_type, if_generation_match=0)
    except exceptions.PreconditionFailed:
        return False
    return True


def upload(
    context: Context,
    bucket: str,
    path: str,
    chunks: Iterable[bytes],
    *,
    content_type: str,
    disposition: str | None = None,
) -> None:
    """Store an object from a stream, replacing what was there, in memory for one chunk of the upload.

    Nothing is stored unless the stream comes to its end: where it raises, the object stays what it was.

    Args:
        context: Tenant, clients and deadline.
        bucket: The bucket.
        path: Path below the tenant.
        chunks: The bytes.
        content_type: Media type.
        disposition: ``Content-Disposition`` of whoever downloads it.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    blob = context.clients.get(storage_client).bucket(bucket).blob(object_name(context, path))
    blob.chunk_size = UPLOAD_CHUNK
    blob.content_disposition = disposition
    _bounded(context, blob.upload_from_file, _Upload(opened(chunks)), content_type=content_type)


def opened(chunks: Iterable[bytes]) -> IO[bytes]:
    """Return chunks of bytes as a file that is read from its beginning."""
    return io.BufferedReader(_Chunks(iter(chunks)), buffer_size=CHUNK)


class _Upload:
    """A file that can only be read on, as the client's uploads want it: it asks where it is, and how much there is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer at the end."""
        content = self._file.read(size)
        self._position += len(content)
        return content

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._position


class _Chunks(io.RawIOBase):
    """Chunks of bytes, read as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; 0 at the end."""
        while not self._rest:
            following = next(self._chunks, None)
            if following is None:
                return 0
            self._rest = memoryview(following)
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def read(context: Context, bucket: str, path: str) -> bytes | None:
    """Return an object's bytes, or None where there is none.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    blob = context.clients.get(storage_client).bucket(bucket).blob(object_name(context, path))
    try:
        return _bounded(context, blob.download_as_bytes)  # type: ignore[no-any-return]
    except exceptions.NotFound:
        return None


def stream(context: Context, bucket: str, path: str) -> Iterator[bytes] | None:
    """Return an object's bytes in chunks of one MiB, or None where there is none.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    name = object_name(context, path)
    blob = _bounded(context, context.clients.get(storage_client).bucket(bucket).get_blob, name)
    return None if blob is None else _chunks(context, blob, blob.size or 0)


def paths(context: Context, bucket: str, folder: str) -> list[str]:
    """Return the paths below a folder, sorted.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    prefix = f"{object_name(context, folder)}/"
    client = context.clients.get(storage_client)
    blobs = _bounded(context, lambda **bounds: list(client.list_blobs(bucket, prefix=prefix, **bounds)))
    return sorted(blob.name.removeprefix(f"{context.tenant_id}/") for blob in blobs)


def all_paths(context: Context, bucket: str) -> Iterator[str]:
    """Yield the paths of all of the tenant's files in a bucket, page by page as they are asked for.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    prefix = f"{context.tenant_id}/"
    client = context.clients.get(storage_client)
    try:
        blobs = _bounded(context, client.list_blobs, bucket, prefix=prefix)
        for blob in blobs:
            yield blob.name.removeprefix(prefix)
    except exceptions.NotFound:
        return  # no bucket, no files
    except TRANSIENT as error:
        raise Unavailable("storage", f"Cloud Storage does not answer ({type(error).__name__})") from error


def exists(context: Context, bucket: str, path: str) -> bool:
    """Return whether there is an object.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    blob = context.clients.get(storage_client).bucket(bucket).blob(object_name(context, path))
    return bool(_bounded(context, blob.exists))


def delete(context: Context, bucket: str, path: str) -> None:
    """Delete an object; one that is not there is deleted.

    Raises:
        Unavailable: Cloud Storage does not answer.
    """
    blob = context.clients.get(storage_client).bucket(bucket).blob(object_name(context, path))
    try:
        _bounded(context, blob.delete)
    except exceptions.NotFound:
        return


def _chunks(context: Context, blob: Any, size: int) -> Iterator[bytes]:
    for start in range(0, size, CHUNK):
        yield _bounded(context, blob.download_as_bytes, start=start, end=min(start + CHUNK, size) - 1)


def _bounded(context: Context, call: Any, *arguments: Any, **named: Any) -> Any:
    """Call the client within the deadline; writes are repeatable, because they replace the whole object."""
    timeout = context.deadline.timeout(PATIENCE, "storage")
    try:
        return call(*arguments, **named, timeout=timeout, retry=DEFAULT_RETRY.with_timeout(timeout))
    except TRANSIENT as error:
        raise Unavailable("storage", f"Cloud Storage does not answer ({type(error).__name__})") from error
