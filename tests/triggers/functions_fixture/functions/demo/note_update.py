"""Change a note."""

import uuid

from common.answers import Answer
from common.context import Context
from common.model import Model
from triggers import http


class NotePatch(Model):
    name: str


class Seen(Model):
    note_id: uuid.UUID
    if_match: str | None
    name: str


@http.patch("/v1/demo/notes/{note_id}", scope="demo:write", if_match="required", roles=("admin", "manager"))
def note_update(note_id: uuid.UUID, body: NotePatch, context: Context) -> Answer[Seen]:
    """Tell what arrived."""
    seen = Seen(note_id=note_id, if_match=context.if_match, name=body.name)
    return Answer(content=seen, status=202, headers={"Location": f"/v1/demo/notes/{note_id}"})
