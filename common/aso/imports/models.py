"""What the import operation takes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.aso.models import Day
from common.model import Model


class ImportQuery(Model):
    """How to read the file."""

    format: Literal["auto", "search_console", "csv"] = Field(
        default="auto",
        description="``auto`` takes a file with queries, impressions and positions for a Search Console export, and "
        "any other with a keyword column for a plain table.",
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
        "moment this very file was first uploaded.",
    )
