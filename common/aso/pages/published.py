"""The published pieces of a tenant, read in pages up to a limit."""

from __future__ import annotations

from common.aso.entities import CONTENT_PIECES
from common.aso.models import ContentPiece
from common.context import Context
from common.store import Repository

PAGE = 500


def pieces_of(context: Context, limit: int) -> tuple[list[ContentPiece], bool]:
    """Return the newest published pieces, and whether there are more than ``limit``."""
    found: list[ContentPiece] = []
    cursor = None
    while len(found) <= limit:
        page = Repository(CONTENT_PIECES, context).page([("status", "==", "published")], limit=PAGE, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return found[:limit], len(found) > limit or cursor is not None
