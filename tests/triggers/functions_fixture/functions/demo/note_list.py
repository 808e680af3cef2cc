"""List notes."""

from typing import Literal

from pydantic import Field

from common.answers import Page
from common.model import Model
from triggers import http


class NoteQuery(Model):
    limit: int = Field(default=2, ge=1, le=100)
    cursor: str | None = None
    colour: list[Literal["red", "blue"]] | None = None
    done: bool | None = None


class Line(Model):
    number: int
    text: str


@http.get("/v1/demo/notes", scope="demo:read", rate="none")
def note_list(query: NoteQuery) -> Page[Line]:
    """List numbered lines from the cursor on."""
    first = int(query.cursor or "0")
    text = ",".join(query.colour or ["ü"])
    items = [Line(number=number, text=text) for number in range(first, min(first + query.limit, 5))]
    following = first + query.limit
    return Page(items=items, next_cursor=str(following) if following < 5 else None)
