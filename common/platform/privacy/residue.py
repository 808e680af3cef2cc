"""The search for what is left of a person: everything the tenant has in any store, looked through by content.

It trusts no declaration: every document of every collection (those that nobody declared, too), every table, key and
file is searched for the person's identifiers and their plain digests. It is the check on the walk, so it shares nothing
with it but the list of what to look for. It reads everything once and is run after an erasure, or when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter
from pydantic import Field

from common import objects, raw_documents
from common.answers import Answer
from common.clients.firestore import firestore_client
from common.context import Context
from common.firestore_calls import bounded, translated
from common.identifiers import uuid7
from common.jobs.models import JobTask, JobView
from common.jobs.run import JobRun, run_job
from common.jobs.service import start_job
from common.model import Model
from common.platform.privacy import cases
from common.platform.privacy.needles import Form, Needles
from common.platform.privacy.person import Person
from common.platform.privacy.residue_tables import searched_tables
from common.platform.privacy.stores import redis_keys, technical
from common.platform.privacy.stores.files import buckets
from common.platform.privacy.stores.port import Walk
from common.protection.subjects import Subject
from common.registry import EntityRecord, entities
from common.store import Work, transact
from common.technical import COLLECTIONS

JOB = "privacy_residue"
FUNCTION = "platform-privacy-residue-run"
PAGE = 300
MOST = 500
"""Places that are named one by one."""


class Left(Model):
    """A place where something of the person is left.

    Attributes:
        store: ``documents``, ``technical``, ``undeclared``, ``warehouse``, ``redis`` or ``files``.
        place: Where: collection and document, table and column, key, or file; identifiers in it are blotted out.
        kind: What was found: ``user_id`` or ``email``.
        form: ``value``, or ``digest`` for its plain SHA-256.
    """

    store: str = Field(examples=["documents"])
    place: str = Field(examples=["content_pieces/0198c5f2 title"])
    kind: str = Field(examples=["email"])
    form: Form = Field(examples=["value"])


class ResidueRequest(Model):
    """Whom to look for."""

    subject: Subject = Field(examples=[{"email": "jane.doe@example.com"}])


def request(context: Context, body: ResidueRequest) -> Answer[JobView]:
    """Begin a search (202); the job's result says where something is left.

    Raises:
        Unavailable: The tenant's key cannot be had now.
    """

    def work(work: Work) -> Answer[JobView]:
        job_id = uuid7()
        cases.open_case(work, job_id, "", body.subject)
        job = start_job(work, type=JOB, function=FUNCTION, unit="places", job_id=job_id)
        return Answer(content=job.view(), status=202, headers={"Location": f"/v1/jobs/{job.job_id}"})

    return transact(context, work)


def run(context: Context, task: JobTask) -> None:
    """Do the work of a search."""
    run_job(context, task, _work)


def _work(job: JobRun) -> dict[str, Any]:
    walk = Walk(
        context=job.context,
        person=Person(cases.identifiers_of(job.context, job.job.job_id)),
        case=str(job.job.job_id),
        alive=lambda: job.progress(job.job.progress.done),
    )
    left = search(walk)
    job.progress(len(left), checkpoint={}, flush=True)
    cases.close(job.context, job.job.job_id)
    return {"clean": not left, "residue": [each.model_dump() for each in left]}


def search(walk: Walk) -> list[Left]:
    """Return where something of the person is left; empty where nothing is.

    Raises:
        Unavailable: A store does not answer: then it is not known.
    """
    needles = Needles(walk.person)
    found: dict[tuple[str, str, str, Form], Left] = {}
    for store, place, within in _everywhere(walk, needles):
        for kind, form in sorted(within):
            blotted = str(needles.replaced(place, lambda *_: "***"))
            left = Left(store=store, place=blotted, kind=kind, form=form)
            found[store, blotted, kind, form] = left
        if len(found) >= MOST:
            break
    return list(found.values())


def _everywhere(walk: Walk, needles: Needles) -> Iterator[tuple[str, str, set[tuple[str, Form]]]]:
    yield from _documents(walk, needles)
    yield from _technical(walk, needles)
    yield from _undeclared(walk, needles)
    for place, within in searched_tables(walk, needles):
        yield "warehouse", place, within
    for key, value in redis_keys.every(walk):
        if within := needles.within([key, value]):
            yield "redis", key.decode(errors="replace"), within
    yield from _files(walk, needles)


def _documents(walk: Walk, needles: Needles) -> Iterator[tuple[str, str, set[tuple[str, Form]]]]:
    for entity in sorted(entities().values(), key=lambda each: each.name):
        for snapshot in _of_entity(walk, entity):
            yield from _in_document("documents", snapshot, needles)


def _of_entity(walk: Walk, entity: EntityRecord) -> Iterator[Any]:
    yield from _paged(walk, raw_documents.query(walk.context, entity))


def _technical(walk: Walk, needles: Needles) -> Iterator[tuple[str, str, set[tuple[str, Form]]]]:
    for collection in COLLECTIONS:
        for snapshot in technical.of_tenant(walk.context, collection.path):
            yield from _in_document("technical", snapshot, needles)
        walk.alive()


def _undeclared(walk: Walk, needles: Needles) -> Iterator[tuple[str, str, set[tuple[str, Form]]]]:
    """Search collections that nobody declared: what has the tenant's name in it."""
    client = walk.context.clients.get(firestore_client)
    own = f"tenants/{walk.context.tenant_id}"
    shared = {each.collection for each in entities().values() if each.location == "shared"}
    below = {f"{own}/{each.collection}" for each in entities().values() if each.location == "tenant"}
    with translated():
        top = [each.id for each in client.collections(timeout=30) if each.id not in {*shared, "system"}]
        inner = [f"{own}/{each.id}" for each in client.document(own).collections(timeout=30)]
    for path in top:
        tenant = FieldFilter("tenant_id", "==", walk.context.tenant_id)
        for snapshot in _paged(walk, client.collection(path).where(filter=tenant)):
            yield from _in_document("undeclared", snapshot, needles)
    for path in inner:
        if path not in below:
            for snapshot in _paged(walk, client.collection(path)):
                yield from _in_document("undeclared", snapshot, needles)


def _in_document(store: str, snapshot: Any, needles: Needles) -> Iterator[tuple[str, str, set[tuple[str, Form]]]]:
    path = snapshot.reference.path
    for name, value in (snapshot.to_dict() or {}).items():
        if within := needles.within(value):
            yield store, f"{path} {name}", within
    if within := needles.within(path):
        yield store, path, within


def _paged(walk: Walk, query: Any) -> Iterator[Any]:
    query, start = query.order_by("__name__").limit(PAGE), None
    while True:
        asked = query if start is None else query.start_after({"__name__": start})
        with translated():
            page = list(asked.stream(**bounded(walk.context.deadline, 60)))
        yield from page
        walk.alive()
        if len(page) < PAGE:
            return
        start = page[-1].reference


def _files(walk: Walk, needles: Needles) -> Iterator[tuple[str, str, set[tuple[str, Form]]]]:
    for _, bucket in buckets(walk):
        for path in objects.all_paths(walk.context, bucket):
            chunks = objects.stream(walk.context, bucket, path)
            content = set() if chunks is None else needles.in_stream(chunks, name=path)
            if within := content | needles.within(path):
                yield "files", f"{bucket}/{path}", within
            walk.alive()
