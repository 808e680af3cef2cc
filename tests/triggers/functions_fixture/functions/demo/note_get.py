"""Read a note."""

import uuid

from common.answers import Record
from common.context import Context
from common.store import Repository
from tests.common.things import THING, Thing
from triggers import http


@http.get("/v1/demo/notes/{note_id}", scope="demo:read")
def note_get(note_id: uuid.UUID, context: Context) -> Record[Thing]:
    """Read a note."""
    return Repository(THING, context).get(str(note_id))
