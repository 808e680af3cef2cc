"""JSON bytes of what operations return: one place, so that a cached answer is the same bytes as a computed one."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from common.answers import Page, Record


def render(content: BaseModel | Page[Any] | Record[Any]) -> bytes:
    """Return the JSON of a model, of a record's value, or of a page as ``{"items": [...], "next_cursor": ...}``.

    Names are the models' aliases; times are RFC 3339; text is UTF-8, not escaped.
    """
    if isinstance(content, BaseModel):
        return content.__pydantic_serializer__.to_json(content, by_alias=True)
    if isinstance(content, Record):
        return render(content.value)
    items = b",".join([render(item) for item in content.items])
    cursor = json.dumps(content.next_cursor).encode()
    return b'{"items":[' + items + b'],"next_cursor":' + cursor + b"}"
