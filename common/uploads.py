"""A file sent as the raw body of a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An uploaded file.

    Attributes:
        content: The bytes.
        content_type: Media type without parameters, lower case, such as ``text/csv``.
        filename: Name given in ``Content-Disposition``, without any folder; None if there is none.
    """

    content: bytes
    content_type: str
    filename: str | None = None
