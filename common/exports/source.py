"""What can be exported: a table with columns, read page by page from where the last page ended."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from common.context import Context
from common.documents import decode
from common.entity import Entity
from common.exports.columns import Column
from common.model import Model
from common.registry import entities
from common.warehouse import source as documents

EntityModel = TypeVar("EntityModel", bound=Model)
Row = Mapping[str, Any]

PAGE = 2000
"""Rows of a page where the source has no pages of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How to read.

    Attributes:
        context: Tenant, clients and deadline.
        filters: What the caller asked for, in the source's terms.
        read_time: The moment whose data is wanted.
        after: Cursor of the last page that was read; None at the beginning.
    """

    context: Context
    filters: Mapping[str, Any]
    read_time: datetime
    after: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some rows.

    Attributes:
        rows: Values by column.
        cursor: Where to go on after them; a value that JSON can hold.
    """

    rows: Sequence[Row]
    cursor: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A table that can be exported.

    Attributes:
        columns: Its columns.
        pages: Reads it, in an order that is the same every time.
        pinned: Whether pages are of ``Reading.read_time``, so that all of them together are one snapshot.
    """

    columns: Sequence[Column]
    pages: Callable[[Reading], Iterator[Page]]
    pinned: bool = False


def of_documents(
    entity: Entity[EntityModel], columns: Sequence[Column], keep: Callable[[EntityModel, Mapping[str, Any]], bool]
) -> Source:
    """Return a source of an entity's documents, in the order of their ids, as one snapshot.

    Args:
        entity: Which documents.
        columns: Fields of its model.
        keep: Tells by model and filters whether a document is wanted.
    """

    def pages(reading: Reading) -> Iterator[Page]:
        record = entities()[entity.name]
        read = documents.pages(reading.context, record, read_time=reading.read_time, after=reading.after)
        for snapshots in read:
            found = [decode(entity.model, snapshot.to_dict()) for snapshot in snapshots]
            rows = [vars(model) for model in found if keep(model, reading.filters)]
            yield Page(rows=rows, cursor=snapshots[-1].reference.path)

    return Source(columns=columns, pages=pages, pinned=True)


def of_rows(columns: Sequence[Column], rows: Callable[[Context, Mapping[str, Any]], Iterable[Row]]) -> Source:
    """Return a source of rows that are computed in one go, in the same order every time.

    Where an export goes on after a crash, they are computed again and the rows it has are passed over.
    """

    def pages(reading: Reading) -> Iterator[Page]:
        done = int(reading.after or 0)
        waiting = itertools.islice(rows(reading.context, reading.filters), done, None)
        while chunk := list(itertools.islice(waiting, PAGE)):
            done += len(chunk)
            yield Page(rows=chunk, cursor=done)

    return Source(columns=columns, pages=pages)
