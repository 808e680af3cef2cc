"""What exports take and answer."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.model import Model, Timestamp

Format = Literal["csv", "xlsx"]
Delimiter = Literal["comma", "semicolon", "tab"]
Decimal = Literal["point", "comma"]


class Layout(Model):
    """How a file is written. All but ``format`` concern CSV: a workbook carries its own types."""

    format: Format = Field(default="csv", examples=["xlsx"])
    locale: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")] | None = Field(
        default=None,
        description="Whose spreadsheet will open a CSV: where people write 1,5 numbers get a decimal comma and columns "
        "are separated by semicolons.",
        examples=["de-DE"],
    )
    delimiter: Delimiter | None = Field(default=None, description="Instead of what the locale says.", examples=["tab"])
    decimal: Decimal | None = Field(default=None, description="Instead of what the locale says.", examples=["point"])
    bom: bool = Field(
        default=True,
        description="Whether a CSV begins with a byte order mark, without which Excel misreads letters that are not "
        "ASCII.",
        examples=[True],
    )
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="Name of the file, without ending.", examples=["Keywords for the board"]
    )


class ExportResult(Model):
    """What an export made; the ``result`` of its job.

    Attributes:
        kind: What was exported.
        format: ``csv`` or ``xlsx``.
        filename: Name under which it is offered.
        rows: Rows without headings.
        sheets: Sheets of a workbook; 1 for a CSV.
        shortened: Cells of a workbook whose text was longer than the 32,767 characters a cell takes.
        size: Bytes.
        sha256: Digest of the bytes, hexadecimal.
        as_of: Moment whose data it holds, or the beginning of the reading where ``consistency`` is ``rolling``.
        consistency: ``snapshot``: every row as it was at ``as_of``; ``rolling``: each page as it was when it was read.
    """

    kind: str
    format: Format
    filename: str
    rows: int
    sheets: int
    shortened: int
    size: int
    sha256: str
    as_of: Timestamp
    consistency: Literal["snapshot", "rolling"]


class ExportLink(Model):
    """A link to an exported file."""

    export_id: uuid.UUID = Field(description="The id of its job.", examples=["0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"])
    url: str = Field(
        description="Whoever has it may download the file until it expires; needs no credential.",
        examples=["https://storage.googleapis.com/reports/demo/exports/0198c5f2/file.csv?X-Goog-Signature=..."],
    )
    expires_at: Timestamp = Field(examples=["2026-01-31T12:15:00.000000Z"])
    filename: str = Field(examples=["keywords-2026-01-31.csv"])
    format: Format = Field(examples=["csv"])
    size: int = Field(description="Bytes.", examples=[48213])
    sha256: str = Field(examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])
    rows: int = Field(description="Rows without headings.", examples=[1200])
    as_of: Timestamp = Field(description="Moment whose data it holds.", examples=["2026-01-31T12:00:00.000000Z"])
    consistency: Literal["snapshot", "rolling"] = Field(
        description="``snapshot``: every row as it was at ``as_of``; ``rolling``: each page as it was when it was "
        "read, beginning at ``as_of``.",
        examples=["snapshot"],
    )
