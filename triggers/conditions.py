"""Header fields that make a request conditional or repeatable: ``If-Match``, ``If-None-Match``, ``Idempotency-Key``."""

from __future__ import annotations

import re
from typing import Literal

from common.errors import BadRequest, FieldError, PreconditionRequired

_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def if_match(header: str | None, rule: Literal["required", "optional", "ignored"]) -> str | None:
    """Return the one strong entity tag of ``If-Match``, or ``*``, or None.

    Raises:
        PreconditionRequired: It is required and missing.
        BadRequest: It is weak, a list, or no entity tag.
    """
    if rule == "ignored":
        return None
    if header is None:
        if rule == "required":
            raise PreconditionRequired(
                "if_match_required",
                "send If-Match with the ETag of the version you have read, so that nobody's change is lost",
                errors=[FieldError(pointer="header:If-Match", code="required", message="If-Match is required")],
            )
        return None
    tag = header.strip()
    if tag == "*" or _STRONG_TAG.fullmatch(tag):
        return tag
    message = 'If-Match takes one strong entity tag, such as "1767225600000000", or *'
    raise BadRequest(
        "invalid_if_match",
        message,
        errors=[FieldError(pointer="header:If-Match", code="invalid_if_match", message=message)],
    )


def none_match(header: str | None, etag: str | None) -> bool:
    """Tell whether ``If-None-Match`` names the current version, by weak comparison (RFC 9110, 13.1.2)."""
    if header is None or etag is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return "*" in tags or etag in tags


def idempotency_key(header: str | None) -> str | None:
    """Return the ``Idempotency-Key``, if there is one.

    Raises:
        BadRequest: It is not 1 to 255 visible ASCII characters.
    """
    if header is None or _KEY.fullmatch(header):
        return header
    message = "Idempotency-Key takes 1 to 255 visible ASCII characters"
    raise BadRequest(
        "invalid_idempotency_key",
        message,
        errors=[FieldError(pointer="header:Idempotency-Key", code="invalid_idempotency_key", message=message)],
    )
