"""Claims: one paid look a keyword, day, device and locale, however often a task runs or a person asks.

A claim is made before the provider is called. A worker that died in between leaves a claim that is still open, and
nobody knows whether its call was paid for: the answer is taken from storage if it got there, and otherwise the look
counts as failed for the day. It is never paid for twice by itself; a person may ask for it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from common import technical
from common.aso.models import Device, Locale
from common.context import Context
from common.identifiers import digest
from common.technical import RANK_CLAIMS

KEPT = timedelta(days=3)
LEASE = timedelta(minutes=15)
"""Longer than any batch may run: a claim of another batch that is still open by then was left by a crash."""

State = Literal["fresh", "interrupted", "done", "busy"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is looked at once a day."""

    keyword_id: str
    day: str
    device: Device
    locale: Locale

    @property
    def name(self) -> str:
        """The claim's name."""
        return digest("rank-claim", self.keyword_id, self.day, self.device, self.locale)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What became of asking for a look.

    Attributes:
        state: ``fresh``: it is ours to make. ``interrupted``: begun before and never ended. ``done``: made today.
            ``busy``: another batch is making it.
        checked_at: The moment of the look, kept when it is repeated, so that its observation is the same one.
        milli: What a look of this batch that is done has cost, in thousandths of a minor unit.
        ours: Whether this batch made it, now or before.
    """

    state: State
    checked_at: datetime
    milli: int = 0
    ours: bool = True


def claim(context: Context, subject: Subject, batch: str, now: datetime, *, again: bool = False) -> Claim:
    """Claim a look.

    Args:
        context: Whose keyword.
        subject: What to look at.
        batch: Who asks.
        now: The present.
        again: Whether to make a look again that failed today.

    Raises:
        Unavailable: Firestore does not answer; nothing may be called.
    """

    def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, Claim]:
        if fields is None or (again and fields["state"] == "failed" and fields["batch"] != batch):
            return _fields(context, subject, "calling", batch, now), Claim(state="fresh", checked_at=now)
        ours, checked_at = fields["batch"] == batch, fields["checked_at"].astimezone(UTC)
        if fields["state"] != "calling":
            milli = int(fields.get("milli") or 0)
            return None, Claim(state="done", checked_at=checked_at, milli=milli if ours else 0, ours=ours)
        if ours or now - checked_at > LEASE:
            return None, Claim(state="interrupted", checked_at=checked_at, ours=ours)
        return None, Claim(state="busy", checked_at=checked_at, ours=False)

    return technical.changed(context, _path(context, subject), change)


def finish(
    context: Context, subject: Subject, batch: str, checked_at: datetime, *, failed: bool, milli: int = 0
) -> None:
    """End a look."""
    state = "failed" if failed else "done"

    def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, None]:
        if fields is not None and fields["state"] == "done":
            return None, None
        return {**_fields(context, subject, state, batch, checked_at), "milli": milli}, None

    technical.changed(context, _path(context, subject), change)


def _path(context: Context, subject: Subject) -> str:
    return f"{RANK_CLAIMS.path}/{context.tenant_id}:{subject.name}"


def _fields(context: Context, subject: Subject, state: str, batch: str, checked_at: datetime) -> dict[str, Any]:
    return {
        "tenant_id": context.tenant_id,
        "keyword_id": subject.keyword_id,
        "day": subject.day,
        "state": state,
        "batch": batch,
        "checked_at": checked_at,
        "expires_at": checked_at + KEPT,
    }
