"""References to pieces and keywords: none is forgotten, and none is left behind."""

from __future__ import annotations

import re
import typing
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from common.aso import references
from common.aso.entities import KEYWORDS, OPPORTUNITIES
from common.aso.models import Opportunity
from common.aso.pages.entities import LINK_AUDITS, PAGE_AUDITS
from common.aso.pages.link_models import LinkAudit, SpokeLinks
from common.aso.pages.score_models import PageAudit, Readability
from common.aso.references import KEPT, REFERENCES
from common.context import Context
from common.errors import Unavailable
from common.identifiers import uuid7
from common.store import Repository, Work, transact
from tests.common.aso.test_content import made
from tests.common.aso.test_deletion import chance, targeted
from triggers.entities import declared_entities

LOOKS_LIKE_ONE = re.compile(r"(^|_)(content|hub|spoke|piece|keyword|subject)_ids?$")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def fields_of(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Yield the dotted names of all fields, those of models within included."""
    for name, field in model.model_fields.items():
        yield path + name
        for inner in models_in(field.annotation):
            yield from fields_of(inner, f"{path}{name}.")


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if typing.get_origin(annotation) is None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def test_no_field_that_holds_such_an_id_is_forgotten() -> None:
    """Whoever adds an entity with ``content_id``, ``hub_id``, ``keyword_id``... says here what becomes of it."""
    told = {(reference.entity.name, reference.field) for reference in REFERENCES} | KEPT.keys()
    found = {
        (entity.name, path)
        for entity in declared_entities()
        if entity.domain == "aso"
        for path in fields_of(entity.model)
        if LOOKS_LIKE_ONE.search(path.rpartition(".")[2])
    }
    assert found - told == set()
    assert all(len(reason.split()) > 1 for reason in KEPT.values())


def test_what_is_declared_exists() -> None:
    entities = {entity.name: entity for entity in declared_entities()}
    for reference in REFERENCES:
        assert entities[reference.entity.name] is reference.entity
        annotation = reference.entity.model.model_fields[reference.field].annotation
        assert (typing.get_origin(annotation) is list) is reference.many
        assert reference.field not in reference.entity.unindexed
        if reference.policy == "point" and not reference.many:
            assert type(None) in typing.get_args(annotation), "a field that cannot be cleared"
    for name, path in KEPT:
        assert path in set(fields_of(entities[name].model))


def page_audit(context: Context, content_id: str) -> str:
    audit = PageAudit(
        audit_id=str(uuid7()),
        tenant_id=context.tenant_id,
        content_id=content_id,
        keyword="scan",
        source="text",
        definition="1",
        score=50,
        word_count=0,
        readability=Readability(language_source="unknown", sentences=0, words=0),
        checks=[],
        created_at=NOW,
    )
    transact(context, lambda work: work.create(PAGE_AUDITS, audit))
    return audit.audit_id


def link_audit(context: Context, hub: str, *spokes: str) -> None:
    rows = [SpokeLinks(content_id=spoke, from_hub="linked", to_hub="missing") for spoke in spokes]
    audit = LinkAudit(
        content_id=hub,
        tenant_id=context.tenant_id,
        spoke_ids=list(spokes),
        spokes=rows,
        linked=len(rows),
        nofollow=0,
        missing=len(rows),
        unknown=0,
        coverage=0.5,
        orphans=[],
        source="given",
        checked_at=NOW,
        created_at=NOW,
    )
    transact(context, lambda work: work.create(LINK_AUDITS, audit))


def test_everything_that_refers_to_a_piece_lets_go_of_it(context: Context) -> None:
    piece, other = made(context), made(context)
    targeted(context, piece, "one", "two")
    targeted(context, other, "three")
    opportunity = chance(context, piece)
    page_audit(context, piece.content_id)
    kept = page_audit(context, other.content_id)
    link_audit(context, piece.content_id, other.content_id)
    hub = str(uuid.uuid4())
    link_audit(context, hub, piece.content_id, other.content_id)

    foreseen = references.foreseen(context, "content", [piece.content_id], replaced=False)
    taken = references.repoint(context, "content", {piece.content_id: None})

    expected = {
        "keyword": {"cleared": 2},
        "link_audit": {"cleared": 1, "deleted": 1},
        "opportunity": {"cleared": 1},
        "page_audit": {"deleted": 1},
    }
    assert taken.as_dict() == foreseen.as_dict() == expected
    links = {record.value.keyword: record.value.content_id for record in Repository(KEYWORDS, context).select()}
    assert links == {"one": None, "two": None, "three": other.content_id}
    assert Repository(OPPORTUNITIES, context).get(opportunity).value.content_id is None
    assert [record.value.audit_id for record in Repository(PAGE_AUDITS, context).select()] == [kept]
    [left] = Repository(LINK_AUDITS, context).select()
    assert (left.value.content_id, left.value.spoke_ids, left.value.linked) == (hub, [other.content_id], 1)
    assert references.repoint(context, "content", {piece.content_id: None}).as_dict() == {}


def test_everything_that_refers_to_a_piece_refers_to_another_one(context: Context) -> None:
    piece, other = made(context), made(context)
    targeted(context, piece, "one", "two")
    opportunity = chance(context, piece)
    page_audit(context, piece.content_id)
    taken = references.repoint(context, "content", {piece.content_id: other.content_id})
    assert taken.as_dict() == {
        "keyword": {"reassigned": 2},
        "opportunity": {"reassigned": 1},
        "page_audit": {"deleted": 1},
    }
    assert {record.value.content_id for record in Repository(KEYWORDS, context).select()} == {other.content_id}
    assert Repository(OPPORTUNITIES, context).get(opportunity).value.content_id == other.content_id


def test_more_than_a_transaction_holds_goes_in_passes_that_can_be_interrupted(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "WRITES", 4)
    piece = made(context)
    targeted(context, piece, *(f"word {number}" for number in range(7)))
    link_audit(context, piece.content_id)
    whole, passes = references.take, 0

    def interrupted(work: Work, *arguments: object, **options: object) -> references.Taken:
        nonlocal passes
        passes += 1
        if passes == 2:
            raise Unavailable("firestore", "gone")
        return whole(work, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(references, "take", interrupted)
    with pytest.raises(Unavailable):
        references.repoint(context, "content", {piece.content_id: None})
    monkeypatch.setattr(references, "take", whole)
    left = references.repoint(context, "content", {piece.content_id: None})
    assert left.of(KEYWORDS, "cleared") + left.of(LINK_AUDITS, "deleted") == 4
    assert {record.value.content_id for record in Repository(KEYWORDS, context).select()} == {None}


def test_another_tenants_documents_are_left_alone(context: Context) -> None:
    piece = made(context)
    stranger = Opportunity(
        opportunity_id=str(uuid.uuid4()),
        tenant_id="stranger",
        opportunity_type="content_gap",
        keyword="scan",
        demand_basis="search_volume",
        content_id=piece.content_id,
        detected_at=NOW,
        created_at=NOW,
    )
    elsewhere = context.__class__(
        function="tests", tenant_id="stranger", principal=context.principal, clients=context.clients
    )
    transact(elsewhere, lambda work: work.create(OPPORTUNITIES, stranger))
    assert references.repoint(context, "content", {piece.content_id: None}).as_dict() == {}
    found = Repository(OPPORTUNITIES, elsewhere).get(stranger.opportunity_id)
    assert found.value.content_id == piece.content_id
