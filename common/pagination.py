"""Opaque cursors: where a list goes on, signed, and valid for the very query that made them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.api_core.datetime_helpers import DatetimeWithNanoseconds

from common.documents import encode_value
from common.errors import BadRequest, ConfigurationError
from common.settings import Settings

SIGNATURE_BYTES = 16
"""128 bits of HMAC-SHA256: nobody guesses it, and a cursor stays short."""

LOCAL_KEY = "cursors of the local cloud"
MAX_LENGTH = 4096
CursorValue = None | bool | int | float | str | bytes | datetime


def query_fingerprint(
    tenant_id: str, entity: str, filters: Sequence[tuple[str, str, object]], order: Sequence[str]
) -> str:
    """Return the digest of a query; a cursor of another query is refused."""
    text = json.dumps([tenant_id, entity, [_filter(*each) for each in filters], list(order)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _filter(field: str, operator: str, value: object) -> list[Any]:
    return [field, operator, json.dumps(encode_value(value), sort_keys=True, default=repr)]


def sign_cursor(settings: Settings, values: Sequence[Any], fingerprint: str) -> str:
    """Return the cursor after the item with these order values.

    Raises:
        ConfigurationError: The deployment has no ``XYNERGY_CURSOR_KEY``.
        TypeError: A value that no list can be ordered by.
    """
    text = json.dumps([[_packed(value) for value in values], fingerprint], separators=(",", ":"), allow_nan=False)
    payload = text.encode()
    return base64.urlsafe_b64encode(_signature(settings, payload) + payload).rstrip(b"=").decode()


def open_cursor(settings: Settings, cursor: str, fingerprint: str) -> list[Any]:
    """Return the order values of a cursor.

    Raises:
        BadRequest: ``invalid_cursor``: not made by us, changed, or made by another query or for another tenant.
        ConfigurationError: The deployment has no ``XYNERGY_CURSOR_KEY``.
    """
    refusal = BadRequest("invalid_cursor", "The cursor is not one of this list; begin again without it.")
    if len(cursor) > MAX_LENGTH or not cursor.isascii():
        raise refusal
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal from error
    signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(settings, payload)):
        raise refusal
    values, made_for = json.loads(payload)
    if made_for != fingerprint or _canonical(raw) != cursor:
        raise refusal
    return [_unpacked(value) for value in values]


def _canonical(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signature(settings: Settings, payload: bytes) -> bytes:
    key = settings.cursor_key or (LOCAL_KEY if settings.is_local else "")
    if not key:
        raise ConfigurationError("XYNERGY_CURSOR_KEY is not set: lists cannot be paged")
    return hmac.new(key.encode(), payload, hashlib.sha256).digest()[:SIGNATURE_BYTES]


def _packed(value: CursorValue) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return {"f": value.hex()}
        case bytes():
            return {"b": base64.b64encode(value).decode()}
        case DatetimeWithNanoseconds():
            return {"t": value.rfc3339()}
        case datetime():
            return {"t": value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        case _:
            raise TypeError(f"a list cannot be ordered by a {type(value).__name__}")


def _unpacked(value: Any) -> CursorValue:
    match value:
        case {"f": str(text)}:
            return float.fromhex(text)
        case {"b": str(text)}:
            return base64.b64decode(text)
        case {"t": str(text)}:
            return DatetimeWithNanoseconds.from_rfc3339(text)  # type: ignore[no-any-return]
        case _:
            return value  # type: ignore[no-any-return]
