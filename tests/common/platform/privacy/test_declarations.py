"""Every field that looks personal is declared, or says why it is not: no later entity can forget it."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

from common import registry
from common.entity import Entity, Facts, Personal
from common.model import Model
from common.platform.privacy.person import pseudonym_of
from tests.common.platform.privacy.looks import looks_personal, personal_paths
from triggers.entities import annotation_of, declared_entities, declared_facts

ENTITIES = {entity.name: entity for entity in declared_entities()}
FACTS = {facts.name: facts for facts in declared_facts()}
EVERY_ENTITY = pytest.mark.parametrize("name", sorted(ENTITIES))
EVERY = pytest.mark.parametrize("name", [*sorted(ENTITIES), *sorted(FACTS)])


def declared(name: str) -> Entity[Any] | Facts:
    return ENTITIES.get(name) or FACTS[name]


def unspoken(entity: Entity[Any] | Facts) -> list[str]:
    """Return what looks personal and is neither declared nor explained (a field explains what is within it)."""
    if isinstance(entity, Facts):
        looking = [column for column in entity.table.columns if looks_personal(column)]
    else:
        looking = list(personal_paths(entity.model))
    spoken = {*(each.field for each in entity.personal), *entity.impersonal, *getattr(entity, "secret", ())}
    return [path for path in looking if not any(path == each or path.startswith(f"{each}.") for each in spoken)]


@EVERY
def test_what_looks_personal_is_declared_or_explained(name: str) -> None:
    assert unspoken(declared(name)) == []


@EVERY
def test_declarations_name_fields_that_exist_and_have_a_purpose(name: str) -> None:
    entity = declared(name)
    for path in (*(each.field for each in entity.personal), *entity.impersonal):
        if isinstance(entity, Facts):
            assert path in entity.table.columns
        else:
            annotation_of(entity.model, path)
    assert all(len(reason) > 10 for reason in entity.impersonal.values())
    fields = [each.field for each in entity.personal]
    assert len(set(fields)) == len(fields)
    assert not set(fields) & set(entity.impersonal)
    if fields:
        assert entity.purpose.endswith(".")
        assert len(entity.purpose) > 20


@EVERY
def test_a_person_can_be_found_in_what_is_personal(name: str) -> None:
    entity = declared(name)
    identifying = {each.field for each in entity.personal if each.kind in {"user_id", "email"}}
    if entity.personal:
        assert identifying, "no field that people are found by"
    assert not identifying & set(getattr(entity, "unindexed", ())), "an identifier needs its index"
    for each in entity.personal:
        assert each.of is None or each.of in identifying


@EVERY
def test_a_record_of_two_people_says_whose_each_value_is(name: str) -> None:
    entity = declared(name)
    whole = [each for each in entity.personal if each.kind in {"user_id", "email"} and each.erasure != "delete"]
    for each in entity.personal:
        if each.kind not in {"user_id", "email"} and each.erasure != "delete":
            assert each.of is not None or len(whole) <= 1, f"{each.field}: of whom?"


@EVERY_ENTITY
def test_the_erasure_fits_the_model(name: str) -> None:
    """What ``clear`` and ``pseudonymise`` leave must be something the model still reads."""
    entity, record = ENTITIES[name], registry.entities()[name]
    for each in record.personal:
        if each.erasure == "delete":
            continue
        assert each.field not in {entity.key, "tenant_id"}, "a key cannot change"
        new = each.emptied if each.erasure == "clear" else pseudonym_of(each.kind, "0" * 64)
        top, _, nested = each.field.partition(".")
        if not nested:
            field = next(info for key, info in entity.model.model_fields.items() if top == (info.alias or key))
            kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            TypeAdapter(kind).validate_python([new] if each.repeated and new else new)


def test_the_registry_says_what_the_declarations_say() -> None:
    for name, entity in ENTITIES.items():
        record = registry.entities()[name]
        stored = [Personal(field=e.field, kind=e.kind, erasure=e.erasure, of=e.of) for e in record.personal]
        assert stored == list(entity.personal)
        assert record.purpose == entity.purpose
    for name, facts in FACTS.items():
        assert registry.facts()[name].purpose == facts.purpose


class Forgotten(Model):
    """An entity whose author thought of nothing."""

    thing_id: str
    contact_email: str
    approved_by: str | None = None


class Nest(Model):
    """One that hides it a level deeper."""

    thing_id: str
    inner: Forgotten | None = None


@pytest.mark.parametrize(
    ("model", "missing"),
    [(Forgotten, ["contact_email", "approved_by"]), (Nest, ["inner.contact_email", "inner.approved_by"])],
)
def test_a_forgotten_field_is_found(model: type[Model], missing: list[str]) -> None:
    thing = Entity(name="thing", domain="aso", model=model, collection="things", key="thing_id", events={})
    assert unspoken(thing) == missing
    field = missing[0]
    told = dataclasses.replace(thing, personal=(Personal(field=field, kind="email", erasure="clear"),))
    assert unspoken(told) == missing[1:]
    assert unspoken(dataclasses.replace(told, impersonal={missing[1]: "Id of a machine."})) == []


@pytest.mark.parametrize("name", ["email", "created_by", "ipAddress", "user_agent", "avatar_url", "display_name", "ip"])
def test_names_that_look_personal(name: str) -> None:
    assert looks_personal(name)


@pytest.mark.parametrize("name", ["keyword", "title", "status", "tenant_id", "renamed", "shipping_state", "url"])
def test_names_that_do_not(name: str) -> None:
    assert not looks_personal(name)
