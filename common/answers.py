"""What a handler may return besides a model, and how each becomes an HTTP answer.

=================  ==========================================================================================
``Model``          JSON with the declared status
``None``           204 without a body
``Record``         JSON of ``value`` with ``ETag``
``Page``           JSON ``{"items": [...], "next_cursor": ...}`` with ``Link: <...>; rel="next"``
``Cached``         the stored JSON bytes with ``X-Cache: HIT|MISS|BYPASS`` and ``Age``
``RowResults``     207 with one entry a row
``Answer``         any of the above with another status or extra headers
``Download``       bytes with a file name
=================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar

from common.model import Model, Timestamp

Value = TypeVar("Value", bound=Model)
Content = TypeVar("Content")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record(Generic[Value]):
    """A stored document: its value and the version it was read or written at.

    Attributes:
        value: The entity.
        update_time: Firestore's update time; the entity tag derives from it.
    """

    value: Value
    update_time: datetime

    @property
    def etag(self) -> str:
        """Strong entity tag: microseconds since the epoch, quoted."""
        return f'"{round(self.update_time.timestamp() * 1_000_000)}"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[Value]):
    """One page of a list.

    Attributes:
        items: The entities, in the order of the query.
        next_cursor: Opaque cursor of the next page; None on the last.
    """

    items: list[Value]
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cached(Generic[Content]):
    """An answer that went through the cache.

    Attributes:
        body: The answer as JSON bytes, exactly as sent.
        state: ``HIT`` from the cache, ``MISS`` computed and stored, ``BYPASS`` computed because the cache is down.
        age: Seconds since the answer was computed.
        next_cursor: Cursor of the next page, where the answer is a page.
    """

    body: bytes
    state: Literal["HIT", "MISS", "BYPASS"]
    age: int = 0
    next_cursor: str | None = None


class RowProblem(Model):
    """Why one row was not taken."""

    status: int
    code: str
    detail: str
    pointer: str


class RowResult(Model, Generic[Value]):
    """The answer to one row of a batch.

    Attributes:
        index: 0-based position of the row in the request.
        status: HTTP status of this row alone: 200 unchanged or updated, 201 created, 4xx refused.
        outcome: What happened to the row.
        value: The stored entity, where there is one.
        problem: What is wrong with the row, where it was refused.
    """

    index: int
    status: int
    outcome: Literal["created", "updated", "unchanged", "refused"]
    value: Value | None = None
    problem: RowProblem | None = None


class RowResults(Model, Generic[Value]):
    """The answer to a batch, one result a row, in the order of the request."""

    rows: list[RowResult[Value]]
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Generic[Content]):
    """Another status or extra headers around a result.

    Attributes:
        content: A model, record, page or None.
        status: HTTP status.
        headers: Extra headers, such as ``Location``.
        secret: The content holds a secret shown once (a new API key); it is not kept for repetitions of the request.
    """

    content: Content
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """A file.

    Attributes:
        chunks: The bytes, streamed.
        content_type: Media type.
        filename: Name under which the caller is offered to save it; None where it is shown in place (a page).
    """

    chunks: Iterable[bytes]
    content_type: str
    filename: str | None


class Aged(Model):
    """A figure with its age.

    Attributes:
        value: The figure; None where there is nothing to count over.
        as_of: The moment the underlying data was read.
    """

    value: float | int | None
    as_of: Timestamp
