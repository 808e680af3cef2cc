"""What the operations on ranks take and answer."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from datetime import date as calendar_date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from common.aso.models import Day, Device, Identifier, KeywordText, Locale, RankStateName
from common.aso.normalize import normalized_keyword
from common.aso.unjudged import Unjudged
from common.model import Model, Timestamp

ROWS = 500
CLOCK_SKEW = timedelta(minutes=5)
OLDEST = timedelta(days=4 * 365)
"""BigQuery refuses rows streamed into partitions older than five years; this leaves a year for late replays."""

_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"


class RankRow(Model):
    """One look at a result page.

    ``ranked`` needs ``position``; ``not_found`` needs ``depth``, how far down was looked; ``check_failed`` has neither.
    ``date`` and ``checked_at`` follow from each other where one is absent.
    """

    keyword: KeywordText | None = Field(default=None, description="Or ``keyword_id``.", examples=["QR code scanner"])
    keyword_id: Identifier | None = Field(default=None, examples=[None])
    date: Day | None = Field(default=None, description="Day the rank is of; at most a day from ``checked_at``.")
    checked_at: Timestamp | None = Field(default=None, examples=["2026-01-31T12:00:00Z"])
    device: Device = Field(default="all", examples=["desktop"])
    locale: Locale = Field(default="und", examples=["en-US"])
    state: RankStateName = Field(examples=["ranked"])
    position: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] | None = Field(default=None, examples=[12.4])
    depth: Annotated[int, Field(ge=1, le=1000)] | None = Field(default=None, examples=[None])
    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = Field(
        default=None, examples=["https://example.com/scan-qr-code"]
    )
    source: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")] = Field(
        default="api", examples=["rank_tracker"]
    )
    features: Annotated[list[Annotated[str, StringConstraints(max_length=64)]], Field(max_length=50)] = Field(
        default_factory=list, examples=[["people_also_ask"]]
    )
    impressions: Annotated[int, Field(ge=0, le=10**12)] | None = Field(default=None, examples=[55685])
    clicks: Annotated[int, Field(ge=0, le=10**12)] | None = Field(default=None, examples=[1171])

    @model_validator(mode="after")
    def _is_consistent(self) -> RankRow:
        if self.keyword is None and self.keyword_id is None:
            raise PydanticCustomError("keyword_required", "keyword or keyword_id is needed")
        if self.keyword is not None and not normalized_keyword(self.keyword):
            raise PydanticCustomError("invalid_value", "the keyword has no letters")
        wrong = {
            "ranked": self.position is None or self.depth is not None,
            "not_found": self.position is not None or self.depth is None or self.url is not None,
            "check_failed": any(value is not None for value in (self.position, self.depth, self.url)),
        }[self.state]
        if wrong:
            raise PydanticCustomError(
                "invalid_state",
                "ranked has a position and no depth; not_found has a depth and neither position nor url; check_failed "
                "has none of them",
            )
        self._check_times()
        return self

    def _check_times(self) -> None:
        if self.date is None and self.checked_at is None:
            raise PydanticCustomError("time_required", "date or checked_at is needed")
        day, moment = calendar_date.fromisoformat(self.day), self.moment
        now = datetime.now(UTC)
        if moment > now + CLOCK_SKEW:
            raise PydanticCustomError("future_check", "a check cannot be in the future")
        if moment < now - OLDEST:
            raise PydanticCustomError("check_too_old", "checks older than four years are not taken")
        if abs((day - moment.date()).days) > 1:
            raise PydanticCustomError("date_mismatch", "date and checked_at are more than a day apart")

    @property
    def moment(self) -> datetime:
        """When the check was made; for a bare date its beginning in UTC."""
        if self.checked_at is not None:
            return self.checked_at.astimezone(UTC)
        return datetime.combine(calendar_date.fromisoformat(self.day), time(), UTC)

    @property
    def day(self) -> str:
        """The day that the rank is of."""
        if self.date is not None:
            return self.date
        return self.moment.date().isoformat()


class RankRows(Model):
    """Up to 500 observations; each row is judged and answered for itself."""

    rows: Annotated[list[Annotated[Any, Unjudged(RankRow)]], Field(min_length=1, max_length=ROWS)] = Field(
        examples=[
            [
                {
                    "keyword": "QR code scanner",
                    "checked_at": "2026-01-31T12:00:00Z",
                    "device": "desktop",
                    "locale": "en-US",
                    "state": "ranked",
                    "position": 12,
                }
            ]
        ]
    )
    create_missing: bool = Field(
        default=False, description="Follow keywords that are not followed yet, instead of refusing their rows."
    )


class HistoryQuery(Model):
    """Which part of a keyword's rank history to read; at most 400 days, the last 90 by default."""

    from_: Day | None = Field(default=None, alias="from", description="First day.")
    to: Day | None = Field(default=None, description="Last day; today by default.")
    device: Device | None = Field(default=None, examples=["desktop"])
    locale: Locale | None = Field(default=None, examples=["en-US"])


class HistoryDay(Model):
    """One day of a keyword: a rank, or a gap with its reason. A gap is never a rank of 0 or 100."""

    date: Day
    position: float | None = Field(default=None, examples=[12.4])
    url: str | None = Field(default=None, examples=["https://example.com/scan-qr-code"])
    gap: Literal["none", "check_failed", "not_found"] | None = Field(
        default=None,
        description="Null on a day with a rank; ``none``: nobody looked; ``check_failed``: looking failed, the rank is "
        "unknown; ``not_found``: not within the first ``depth`` results.",
        examples=[None],
    )
    depth: int | None = Field(default=None, examples=[None])
    checks: int = Field(default=0, description="Checks of the day, failed ones included.", examples=[1])


class RankHistory(Model):
    """A keyword's ranks, one entry a day without holes."""

    keyword_id: str = Field(examples=[_ID])
    keyword: str = Field(examples=["QR code scanner"])
    from_: Day = Field(alias="from")
    to: Day
    device: Device | None = Field(default=None, examples=["desktop"])
    locale: Locale | None = Field(default=None, examples=["en-US"])
    days: list[HistoryDay]
