"""Base classes of the models that cross a boundary: requests, answers, documents, events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


def rfc3339(moment: datetime) -> str:
    """Format an aware time as RFC 3339 in UTC with microseconds: ``2026-01-31T12:00:00.000000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _has_a_utc_time(moment: datetime) -> datetime:
    """Refuse a time whose offset leads out of the calendar, which nothing could store or compare."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time must lie within the years 1 to 9999 in UTC") from None
    return moment


Timestamp = Annotated[
    AwareDatetime, AfterValidator(_has_a_utc_time), PlainSerializer(rfc3339, return_type=str, when_used="json")
]
"""An aware time; a ``datetime`` in Python and Firestore, RFC 3339 UTC in JSON."""


class Model(BaseModel):
    """A model whose JSON names are its snake_case field names; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, validate_default=False)


class CamelModel(Model):
    """A model whose JSON and document names are camelCase (collections under ``tenants/{tenantId}``, document 000)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
