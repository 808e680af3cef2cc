"""An entity of the tests' own, with everything a declaration can ask of the repository."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, date, datetime

from pydantic import Field

from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.entity import Entity, Index, Unique
from common.model import CamelModel, Model, Timestamp


class Colour(enum.StrEnum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Part(Model):
    """A part of a thing."""

    name: str
    weight: float | None = None


class Thing(Model):
    """A thing."""

    thing_id: uuid.UUID
    name: str
    serial: str | None = None
    colour: Colour = Colour.RED
    size: int = 0
    made_on: date | None = None
    parts: list[Part] = Field(default_factory=list)
    main_part: Part | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    created_at: Timestamp = Field(default_factory=lambda: datetime.now(UTC))


THING = Entity(
    name="thing",
    domain="tests",
    model=Thing,
    collection="things",
    key="thing_id",
    events={"created": "thing-created"},
    unique=(
        Unique(name="name", fields=("name",), code="name_taken"),
        Unique(name="serial", fields=("serial", "colour"), code="serial_taken"),
    ),
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "size")),
        Index(fields=("tenant_id", "colour", "size")),
    ),
)


class Person(CamelModel):
    """A person, stored under the tenant with camelCase names."""

    person_id: str
    full_name: str
    tenant_id: str | None = None


PERSON = Entity(
    name="person",
    domain="tests",
    model=Person,
    collection="people",
    key="person_id",
    location="tenant",
    events={},
    unique=(Unique(name="full_name", fields=("full_name",), code="full_name_taken"),),
)


class House(Model):
    """A tenant, in the directory of tenants."""

    tenant_id: str
    title: str


HOUSE = Entity(
    name="house",
    domain="tests",
    model=House,
    collection="houses",
    key="tenant_id",
    events={},
    unique=(Unique(name="title", fields=("title",), code="title_taken"),),
)


def thing(name: str = "", **fields: object) -> Thing:
    """Return a thing with an id, and a name of its own unless given."""
    thing_id = uuid.uuid4()
    return Thing.model_validate({"thing_id": thing_id, "name": name or f"thing {thing_id}", **fields})


def context_of(clients: Clients, tenant_id: str = "acme", *, seconds: float = 30, function: str = "test") -> Context:
    """Return circumstances of a request of a tenant."""
    return Context(
        function=function,
        tenant_id=tenant_id,
        principal=Principal(kind="key", id=f"key-of-{tenant_id}", tenant_id=tenant_id, role="admin"),
        clients=clients,
        deadline=Deadline.after(seconds),
    )
