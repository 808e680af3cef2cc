"""Small readers shared by the parsers: each turns a text of a delivery into a value, or calls the delivery poison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.errors import PoisonEvent


def moment(text: str | None) -> datetime | None:
    """Parse an RFC 3339 time; digits beyond microseconds are cut off.

    Raises:
        PoisonEvent: It is no time.
    """
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise PoisonEvent("malformed_delivery", f"{text!r} is no RFC 3339 time") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed


def whole_number(text: object) -> int | None:
    """Parse a count; None where there is none.

    Raises:
        PoisonEvent: It is no whole number.
    """
    if text is None or text == "":
        return None
    if isinstance(text, int) or (isinstance(text, str) and text.isdecimal()):
        return int(text)
    raise PoisonEvent("malformed_delivery", f"{text!r} is no whole number")


def json_object(content: bytes) -> Mapping[str, Any]:
    """Parse a JSON object.

    Raises:
        PoisonEvent: It is none.
    """
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PoisonEvent("malformed_delivery", f"the delivery is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise PoisonEvent("malformed_delivery", "the delivery is no JSON object")
    return value
