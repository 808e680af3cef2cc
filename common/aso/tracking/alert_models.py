"""Rank alerts as documents and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.aso.models import Day, Device, Identifier, Locale
from common.aso.tracking.noise import Direction
from common.model import Model, Timestamp

AlertStatus = Literal["open", "acknowledged"]
Note = Annotated[str, StringConstraints(max_length=1000)]

_ID = "5f6f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_KEYWORD_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_MOMENT = "2026-01-31T12:00:00.000000Z"


class RankAlert(Model):
    """A rank that moved out of its keyword's own noise."""

    alert_id: str = Field(description="Derived from keyword, day, device and locale.", examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    keyword_id: str = Field(examples=[_KEYWORD_ID])
    keyword: str = Field(examples=["qr code scanner"])
    date: Day
    device: Device = Field(examples=["desktop"])
    locale: Locale = Field(examples=["en-US"])
    source: str = Field(examples=["rank_tracker"])
    direction: Direction = Field(
        description="``up`` is better, ``down`` worse, ``lost``: not found as often in a row as never before.",
        examples=["down"],
    )
    from_position: float = Field(ge=1, description="What was usual before.", examples=[6.4])
    to_position: float | None = Field(default=None, ge=1, description="Null: not found.", examples=[15.0])
    band_low: float = Field(ge=1, description="Best rank that would have been nothing new.", examples=[4.1])
    band_high: float = Field(ge=1, description="Worst rank that would have been nothing new.", examples=[8.7])
    depth: int | None = Field(default=None, description="How deep was looked, where it is lost.", examples=[None])
    url: str | None = Field(default=None, examples=["https://example.com/other"])
    previous_url: str | None = Field(default=None, examples=["https://example.com/scan-qr-code"])
    url_changed: bool = Field(default=False, description="Another page of the site ranks now.", examples=[True])
    visits_change: float | None = Field(
        default=None,
        description="Expected visits a month more or less, by the tenant's click-through curve; null: demand unknown.",
        examples=[-120.5],
    )
    observation_id: str = Field(examples=[_ID])
    status: AlertStatus = Field(default="open", examples=["open"])
    note: str | None = Field(default=None, examples=["Template was changed that day."])
    acknowledged_at: Timestamp | None = Field(default=None, examples=[None])
    acknowledged_by: str | None = Field(default=None, examples=[None])
    created_at: Timestamp = Field(examples=[_MOMENT])
    updated_at: Timestamp | None = Field(default=None, examples=[_MOMENT])


class AlertQuery(Model):
    """Which alerts to list; newest first."""

    status: AlertStatus | None = Field(default=None, examples=["open"])
    direction: Direction | None = Field(default=None, examples=["down"])
    keyword_id: Identifier | None = Field(default=None, examples=[_KEYWORD_ID])
    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")


class AlertUpdate(Model):
    """What changes of an alert: absent fields stay as they are."""

    status: AlertStatus | None = Field(
        default=None, description="``acknowledged``, or back to ``open``.", examples=["acknowledged"]
    )
    note: Note | None = Field(default=None, examples=["Template was changed that day."])
