"""What a synchronisation with Search Console came to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.aso.models import Day
from common.model import Model

Stopped = Literal["budget", "quota"]


class SyncResult(Model):
    """The result of a synchronisation's job.

    Attributes:
        site: The property.
        days: Days that were fetched, unsettled ones again.
        rows: Rows stored.
        refused: Rows that are no figures of a search or page; they are in the job's error file.
        calls: Calls to the API.
        remaining: Cuts of days that are left for the next run; null where it stopped before they were counted.
        stopped: Why something remains: our own budget of calls, or the API's quota; null where nothing does.
        newest_day: Last day that the API has; null where it has none.
    """

    site: str = Field(examples=["sc-domain:example.com"])
    days: int = 0
    rows: int = 0
    refused: int = 0
    calls: int = 0
    remaining: int | None = 0
    stopped: Stopped | None = None
    newest_day: Day | None = None
