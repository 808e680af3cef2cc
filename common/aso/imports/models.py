"""What the operations on imports take and answer, and what is kept of an import."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from common.aso.imports.plan import Warned
from common.aso.imports.table import Basis, Format
from common.aso.models import Day
from common.model import Model, Timestamp

FormatChoice = Literal["auto", "search_console", "semrush", "ahrefs", "keyword_planner", "csv"]
EncodingChoice = Literal["auto", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]
ImportStatus = Literal["applying", "applied", "incomplete", "undoing", "undone"]

_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
_MOMENT = "2026-01-31T12:00:00.000000Z"


class ImportQuery(Model):
    """How to read the file."""

    format: FormatChoice = Field(
        default="auto",
        description="The tool that wrote the file; another tool's export is refused (``wrong_format``). ``auto`` finds "
        "out by the header, and takes any other file with a keyword column for a plain table.",
        examples=["search_console"],
    )
    from_: Day | None = Field(
        default=None,
        alias="from",
        description="First day that a Search Console export covers; needs ``to``. Without it the period is unknown and "
        "the impressions count as a floor.",
    )
    to: Day | None = Field(
        default=None,
        description="Last day that the file covers: ranks without a day are of that day. Without it they are of the "
        "day that the file names, or of the moment this very file was first uploaded.",
    )
    encoding: EncodingChoice = Field(
        default="auto",
        description="``auto`` finds out; a file that is UTF-8 nowhere is read as Windows-1252, and the answer says so.",
        examples=["auto"],
    )
    mapping: str | None = Field(
        default=None,
        max_length=8192,
        description="JSON object of column name to field, or to null for a column to ignore. Columns not named keep "
        'what the preview proposes: ``{"Search term": "keyword", "Vol.": "search_volume", "Notes": null}``.',
        examples=[None],
    )


class MappedColumn(Model):
    """A column of the file and what is taken from it."""

    column: str = Field(description="As the file writes it.", examples=["Avg. monthly searches"])
    index: int = Field(ge=0, description="0-based position.", examples=[3])
    field: str | None = Field(description="Null: the column is ignored.", examples=["search_volume"])
    basis: Basis | None = Field(
        default=None,
        description="Why: by its name, the pattern of its name, what its cells hold, or the caller's mapping.",
        examples=["name"],
    )
    decimal: Literal["point", "comma", "mixed"] | None = Field(
        default=None, description="What stands before fractions, in columns of decimals.", examples=[None]
    )
    evidence: str | None = Field(default=None, description="By what that was decided.", examples=[None])
    examples: list[str] = Field(default_factory=list, description="Cells of the first rows.", examples=[["2400"]])


class PreviewProblem(Model):
    """Something wrong with a row of the sample, as the import would refuse it."""

    row_number: int = Field(description="1-based line of the file.", examples=[17])
    column: str = Field(examples=["KD"])
    code: str = Field(examples=["out_of_range"])
    message: str = Field(examples=["'500' is not between 0 and 100"])


class PreviewRow(Model):
    """A row as the import would take it."""

    row_number: int = Field(examples=[2])
    keyword: str | None = Field(default=None, examples=["qr code scanner"])
    metrics: dict[str, Any] = Field(default_factory=dict, examples=[{"search_volume": 2400}])
    ranks: list[dict[str, Any]] = Field(default_factory=list, examples=[[]])
    performance: list[dict[str, Any]] = Field(default_factory=list, examples=[[]])
    problems: list[PreviewProblem] = Field(default_factory=list, examples=[[]])


class Likeness(Model):
    """What the file looks like."""

    format: Format = Field(examples=["semrush"])
    table: str = Field(examples=["organic_research"])
    title: str = Field(examples=["a Semrush Organic Research export"])
    confidence: float = Field(ge=0, le=1, description="A rule of thumb, not a probability.", examples=[0.98])
    reasons: list[str] = Field(examples=[["the columns 'Search Volume', 'Keyword Difficulty', 'Traffic Cost'"]])


class Preview(Model):
    """How a file would be imported; nothing is stored.

    Where ``recognised`` is null, no known header was found: name the columns by ``mapping``.
    """

    model_config = ConfigDict(str_strip_whitespace=False)  # a tab is a delimiter

    recognised: Likeness | None
    others: list[Likeness] = Field(description="What else it looks like, less so.", examples=[[]])
    refusal: PreviewProblem | None = Field(
        default=None, description="Why an import as asked for here would be refused as a whole.", examples=[None]
    )
    encoding: str = Field(examples=["utf-8"])
    delimiter: str = Field(examples=[","])
    header_row: int | None = Field(description="1-based line of the column names.", examples=[1])
    columns: list[MappedColumn]
    ignored_columns: list[str] = Field(examples=[["Notes"]])
    as_of: Day | None = Field(default=None, description="Day of the rows without a day of their own.")
    as_of_basis: Literal["given", "file", "first_upload"] | None = Field(default=None, examples=["first_upload"])
    rows: list[PreviewRow] = Field(description="The first ten rows.", examples=[[]])
    problems: list[PreviewProblem] = Field(description="Of the sample, at most a hundred.", examples=[[]])
    warnings: list[Warned] = Field(examples=[[]])
    sampled_rows: int = Field(description="Rows that were parsed to find problems.", examples=[1000])
    estimated_rows: int = Field(description="Rows of the file; counted, blank ones left out.", examples=[25000])


class ImportCounts(Model):
    """What became of the rows."""

    rows: int = Field(default=0, examples=[25000])
    created: int = Field(default=0, description="Rows that made a new keyword.", examples=[20000])
    updated: int = Field(default=0, examples=[4000])
    unchanged: int = Field(default=0, examples=[900])
    recorded: int = Field(default=0, description="Rows that are search performance alone.", examples=[0])
    refused: int = Field(default=0, examples=[100])


class UndoCounts(Model):
    """What an undo did."""

    keywords_deleted: int = Field(default=0, description="Keywords that the import had made.", examples=[19990])
    keywords_restored: int = Field(default=0, description="Keywords that it had changed.", examples=[4000])
    observations_deleted: int = Field(default=0, examples=[24900])
    observations_restored: int = Field(default=0, examples=[0])
    kept_changed: int = Field(
        default=0,
        description="Keywords and observations that somebody changed since, whose changes were left alone.",
        examples=[10],
    )


class Import(Model):
    """One file that was imported, and what became of it."""

    import_id: str = Field(description="Equal to the id of its job.", examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    status: ImportStatus = Field(
        description="``incomplete``: its job failed or was cancelled; what it had stored by then can be undone, too.",
        examples=["applied"],
    )
    format: Format = Field(examples=["search_console"])
    table: str = Field(examples=["queries"])
    filename: str | None = Field(default=None, examples=["Queries.csv"])
    digest: str = Field(description="SHA-256 of the file.", examples=["9f86d081884c7d65"])
    encoding: str = Field(examples=["utf-8"])
    mapping: list[MappedColumn] = Field(description="Columns that were taken.")
    from_date: Day | None = Field(default=None, description="First day that the file covers, where it is known.")
    to_date: Day | None = Field(default=None, description="Last day that the file covers, where it is known.")
    as_of: Day = Field(description="Day of the rows without a day of their own.")
    warnings: list[Warned] = Field(default_factory=list, examples=[[]])
    counts: ImportCounts | None = None
    undo: UndoCounts | None = None
    undo_job_id: str | None = Field(default=None, examples=[None])
    created_at: Timestamp = Field(examples=[_MOMENT])
    created_by: str = Field(examples=["key-1"])
    applied_at: Timestamp | None = Field(default=None, examples=[_MOMENT])
    undone_at: Timestamp | None = Field(default=None, examples=[None])
    updated_at: Timestamp = Field(examples=[_MOMENT])


class ImportListQuery(Model):
    """Which imports to list."""

    status: ImportStatus | None = Field(default=None, examples=["applied"])
    format: Format | None = Field(default=None, examples=["search_console"])
    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")
