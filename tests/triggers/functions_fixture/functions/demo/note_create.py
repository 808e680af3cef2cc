"""Create a note, in one transaction."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from common.answers import Record
from common.context import Context
from common.model import Model
from common.store import write_record
from tests.common.things import THING, Thing
from triggers import http

CALLS: list[str] = []


class Circle(Model):
    kind: Literal["circle"]
    radius: float


class Square(Model):
    kind: Literal["square"]
    side: float


class NoteCreate(Model):
    name: str = Field(min_length=1, max_length=20)
    size: int = 0
    tags: list[str] = Field(default_factory=list)
    shapes: list[Annotated[Circle | Square, Field(discriminator="kind")]] = Field(default_factory=list)


@http.post("/v1/demo/notes", scope="demo:write", status=201, max_body=2000)
def note_create(body: NoteCreate, context: Context) -> Record[Thing]:
    """Create a note."""
    CALLS.append(body.name)
    if body.name == "crash":
        raise RuntimeError("the password is hunter2")
    thing = Thing(thing_id=uuid.uuid4(), name=body.name, size=body.size)
    return write_record(context, lambda work: work.create(THING, thing))
