"""Backfill: what Firestore holds goes into the log once more, at a cost stated before; repeating it changes nothing.

Each row carries the sequence of its document's last change and that change's event id, so a later change wins whatever
comes last, and a row that is in the warehouse already is the same row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import Field

from common.answers import Answer
from common.context import Context
from common.errors import FieldError, Unprocessable
from common.jobs.models import JobTask, JobView
from common.jobs.run import JobRun, run_job
from common.jobs.service import start_job
from common.model import Model, Timestamp
from common.registry import EntityRecord, entities
from common.store import transact
from common.warehouse import source
from common.warehouse.log import append
from common.warehouse.sync import wake
from common.warehouse.tables import relations

RUN = "platform-backfill-run"


class BackfillRequest(Model):
    """What to backfill.

    Attributes:
        tenant_id: Whose documents.
        entity: Of which entity, such as ``keyword``.
        dry_run: Only state what it would read and cost.
    """

    tenant_id: str = Field(pattern=r"^[a-z0-9][a-z0-9_]{1,62}$", examples=["demo"])
    entity: str = Field(max_length=64, examples=["keyword"])
    dry_run: bool = Field(default=True, examples=[True])


class BackfillPlan(Model):
    """What a backfill reads and costs.

    Attributes:
        documents: Documents there are.
        reads: Document reads that Firestore bills.
        cost_usd: Upper bound in US dollars.
        price_per_read_usd: The price reckoned with.
        counted_at: When the documents were counted.
    """

    documents: int = Field(examples=[12000])
    reads: int = Field(examples=[12000])
    cost_usd: float = Field(examples=[0.0072])
    price_per_read_usd: float = Field(examples=[6e-07])
    counted_at: Timestamp = Field(examples=["2026-01-31T12:00:00.000000Z"])


class BackfillAnswer(Model):
    """The plan, and the job where one was started."""

    plan: BackfillPlan
    job: JobView | None = None


def request(context: Context, body: BackfillRequest) -> Answer[BackfillAnswer]:
    """State what a backfill costs; start it unless it is a dry run (202).

    Raises:
        NotFound: ``tenant_not_found``.
        Unprocessable: ``entity_unknown``.
        Unavailable: Firestore does not answer.
    """
    entity = _entity(body.entity)
    own = context.for_tenant(body.tenant_id)
    source.require_tenant(own, body.tenant_id)
    found = plan(own, entity)
    if body.dry_run:
        return Answer(content=BackfillAnswer(plan=found))
    parameters = {"entity": entity.name}
    job = transact(
        own,
        lambda work: start_job(
            work, type="backfill", function=RUN, parameters=parameters, unit="documents", total=found.documents
        ),
    )
    return Answer(content=BackfillAnswer(plan=found, job=job.view()), status=202)


def _entity(name: str) -> EntityRecord:
    known = [each.name for each in source.warehouse_entities()]
    if name not in known:
        problem = FieldError(pointer="/entity", code="entity_unknown", message=f"Known are {', '.join(known)}.")
        raise Unprocessable("entity_unknown", f"{name!r} is no entity of the warehouse", errors=[problem])
    return entities()[name]


def plan(context: Context, entity: EntityRecord) -> BackfillPlan:
    """Count the documents and reckon the cost."""
    documents = source.count(context, entity)
    return BackfillPlan(
        documents=documents,
        reads=max(documents, 1),
        cost_usd=round(max(documents, 1) * source.READ_PRICE_USD, 6),
        price_per_read_usd=source.READ_PRICE_USD,
        counted_at=datetime.now(UTC),
    )


def run(context: Context, task: JobTask) -> None:
    """Do the work of a backfill job, from its checkpoint."""
    run_job(context, task, _work)


def _work(job: JobRun) -> Mapping[str, int]:
    entity, context = entities()[job.parameters["entity"]], job.context
    log = relations(context.clients.settings.project, context.tenant_id, entity).log
    state = job.checkpoint or {}
    after, done, refused = state.get("after"), int(state.get("done", 0)), int(state.get("refused", 0))
    pinned = state.get("read_time")
    read_time = pinned if isinstance(pinned, datetime) else source.read_time_now(context)
    if datetime.now(UTC) - read_time > source.READ_TIME_VALID:
        # Reading at a later time is as right: what changed in between is in the log already, with a later sequence.
        read_time = source.read_time_now(context)
    for page in source.pages(context, entity, read_time=read_time, after=after):
        prepared = source.prepare(entity, page)
        declined = append(context, log, prepared.rows)
        reasons = [*prepared.refused, *((prepared.rows[at].event_id, str(error)) for at, error in declined.items())]
        if reasons:
            job.write_errors(done // source.PAGE, ["document", "reason"], reasons)
        wake(context, entity)
        done, refused = done + len(page), refused + len(reasons)
        after = page[-1].reference.path
        job.progress(done, checkpoint={"after": after, "done": done, "refused": refused, "read_time": read_time})
    return {"documents": done, "appended": done - refused, "refused": refused, "reads": done}
