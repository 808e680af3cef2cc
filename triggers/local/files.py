"""The local cloud's page of files: what a signed link of Cloud Storage leads to in production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from google.api_core.exceptions import NotFound

from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.signed_links import opens


@dataclass(frozen=True, kw_only=True, slots=True)
class FileAnswer:
    """The answer to a link.

    Attributes:
        status: HTTP status.
        content: The file, or why not.
        headers: Type and name of the file.
    """

    status: HTTPStatus
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(clients: Clients, path: tuple[str, ...], query: Mapping[str, str]) -> FileAnswer:
    """Answer a link: 403 where it is not ours or its time is over, 404 where the file is gone.

    Args:
        clients: Of the local cloud.
        path: Bucket and segments of the object's name.
        query: ``expires`` and ``signature``.
    """
    bucket, name = path[0] if path else "", "/".join(path[1:])
    if not opens(clients.settings, bucket, name, query.get("expires", ""), query.get("signature", "")):
        return FileAnswer(status=HTTPStatus.FORBIDDEN, content=b"The link is not valid, or not any more.\n")
    blob = clients.get(storage_client).bucket(bucket).blob(name)
    try:
        blob.reload()
        content = blob.download_as_bytes()
    except NotFound:
        return FileAnswer(status=HTTPStatus.NOT_FOUND, content=b"The file is gone.\n")
    headers = {"content-type": blob.content_type or "application/octet-stream"}
    if blob.content_disposition:
        headers["content-disposition"] = blob.content_disposition
    return FileAnswer(status=HTTPStatus.OK, content=content, headers=headers)
