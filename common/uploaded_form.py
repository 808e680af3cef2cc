"""The file inside a form (``multipart/form-data``, RFC 7578), for operations that take a file as body or in a form."""

from __future__ import annotations

from email.message import Message

from common.errors import BadRequest
from common.uploads import Upload

FORM = "multipart/form-data"
LONGEST_BOUNDARY = 70
"""RFC 2046, section 5.1.1."""


def file_of(upload: Upload) -> Upload:
    """Return the first file of a form, or the upload itself where it is no form.

    The boundary is the form's first line, as every client writes it.

    Raises:
        BadRequest: ``malformed_form``: the form cannot be read, or holds no file.
    """
    if upload.content_type != FORM:
        return upload
    content = upload.content
    delimiter = content[: content.find(b"\r\n")] if b"\r\n" in content[: LONGEST_BOUNDARY + 4] else b""
    if not delimiter.startswith(b"--") or len(delimiter) < len(b"--x"):
        raise BadRequest("malformed_form", "the form does not begin with its boundary")
    at = len(delimiter) + 2
    while True:
        head_end = content.find(b"\r\n\r\n", at)
        part_end = content.find(b"\r\n" + delimiter, at)
        if head_end < 0 or part_end < 0:
            raise BadRequest("malformed_form", "the form ends within a part, or holds no file")
        headers = _headers(content[at:head_end])
        filename = headers.get_filename()
        if filename is not None:
            kind = headers.get_content_type()
            body = content[head_end + 4 : part_end] if head_end + 4 <= part_end else b""
            return Upload(content=body, content_type=kind, filename=_base_name(filename))
        at = part_end + 2 + len(delimiter) + 2


def _headers(content: bytes) -> Message:
    headers = Message()
    for line in content.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return headers


def _base_name(filename: str) -> str | None:
    return filename.replace("\\", "/").rpartition("/")[2] or None
