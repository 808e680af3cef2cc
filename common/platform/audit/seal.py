"""Sealing: entries become blocks of the tenant's chain, and every block is copied to where Firestore cannot reach.

What is not sealed yet stands in ``system/audit/unsealed``. A seal takes up to ``BLOCK`` of these in one transaction:
the block, the chain's new head, and the pointers' end commit together, so an entry is in exactly one block. The copy
follows the commit; a seal that died in between is made up for by the next one. Who may write Firestore alone can
rewrite entries, blocks and heads so that they agree with one another, but not with the copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from common import objects, technical
from common.clients.firestore import firestore_client
from common.context import Context
from common.firestore_calls import bounded, translated
from common.model import Model, Timestamp
from common.platform.audit.chain import BEGINNING, MISSING, Block, Sealed, in_order, micros, sealed
from common.platform.audit.entities import AUDIT_ENTRIES
from common.store import Repository, Work, transact
from common.tasks import enqueue
from common.transaction import Write

BLOCK = 400
"""Entries of a block; its transaction has two writes more."""
TASK = "platform-audit-seal-tenant"
RESERVE = 30.0
"""Seconds before the deadline at which a seal leaves the rest to the next."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
FOLDER = "chain"


class SealTask(Model):
    """Body of the task that seals a tenant's entries: which run of the schedule asked for it."""

    asked_at: Timestamp


class Sealing(Model):
    """What a seal did."""

    blocks: int
    entries: int


def enqueue_due(context: Context, now: datetime | None = None) -> int:
    """Make a task for every tenant with entries that are not sealed; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    now = now or datetime.now(UTC)
    tasks = 0
    for tenant_id in due(context):
        name = f"{tenant_id}-{now:%Y%m%dT%H%M}"
        enqueue(context.for_tenant(tenant_id), TASK, SealTask(asked_at=now), name=name)
        tasks += 1
    return tasks


def due(context: Context) -> Iterator[str]:
    """Yield the tenants that have entries to seal; each costs one read, the others none."""
    query = context.clients.get(firestore_client).collection(technical.AUDIT_UNSEALED.path).order_by("tenant_id")
    last = None
    while True:
        following = query if last is None else query.where(filter=FieldFilter("tenant_id", ">", last))
        found = technical.selected(context, following.limit(1))
        if not found:
            return
        last = found[0].get("tenant_id")
        yield last


def seal(context: Context) -> Sealing:
    """Seal what the tenant has to seal, and copy every block that has no copy; a repeated task changes nothing.

    Raises:
        Unavailable: Firestore or Cloud Storage does not answer; what is sealed stays so.
    """
    blocks = entries = 0
    copy_missing(context)
    while (block := transact(context, _next_block, answers=False)) is not None:
        copy(context, block)
        blocks, entries = blocks + 1, entries + len(block.entries)
        if context.deadline.remaining < RESERVE:
            break
    return Sealing(blocks=blocks, entries=entries)


def _next_block(work: Work) -> Block | None:
    context = work.context
    client, tenant_id = context.clients.get(firestore_client), context.tenant_id
    chain_path = chain_path_of(tenant_id)
    chain = technical.read_many(context, [chain_path], work.transaction).get(chain_path) or _new_chain(tenant_id)
    # Read outside of the transaction, whose locks would hold up everybody who appends meanwhile: only seals take
    # pointers away, and two seals of one tenant cannot both commit, because both write the chain's document.
    pointers = _pointers(context, client)
    if not pointers:
        return None
    found = Repository(AUDIT_ENTRIES, context).get_many([each.id for each in pointers])
    places = [
        sealed(found[each.id].value)
        if each.id in found
        else Sealed(entry_id=each.id, digest=MISSING, at=micros(each.get("at")))
        for each in pointers
    ]
    now = datetime.now(UTC)
    block = Block.of(tenant_id, chain["number"] + 1, chain["head"], now, in_order(places))
    for each in pointers:
        work.write(each.reference.path, _deletion(each.reference))
    _write(work, client, block_path(tenant_id, block.number), {**block.fields(), "copied": False}, new=True)
    grown = {"number": block.number, "head": block.head, "entries": chain["entries"] + len(places), "sealed_at": now}
    _write(work, client, chain_path, {**chain, **grown}, new=False)
    return block


def _write(work: Work, client: firestore.Client, path: str, fields: Mapping[str, Any], *, new: bool) -> None:
    reference = client.document(path)
    work.write(path, lambda batch: batch.create(reference, fields) if new else batch.set(reference, fields))


def _deletion(reference: Any) -> Write:
    return lambda batch: batch.delete(reference)


def _pointers(context: Context, client: firestore.Client) -> list[Any]:
    query = (
        client.collection(technical.AUDIT_UNSEALED.path)
        .where(filter=FieldFilter("tenant_id", "==", context.tenant_id))
        .order_by("at")
        .limit(BLOCK)
    )
    return technical.selected(context, query)


def _new_chain(tenant_id: str) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "number": 0,
        "head": BEGINNING,
        "entries": 0,
        "sealed_at": NEVER,
        "verified_at": NEVER,
        "verification": None,
    }


def copy(context: Context, block: Block) -> bool:
    """Copy a block to the audit bucket; tell whether the copy that is there is this block's.

    Raises:
        Unavailable: Cloud Storage or Firestore does not answer.
    """
    bucket, path, content = context.clients.settings.audit_bucket, copy_path(block.number), block.content()
    stored = objects.create(context, bucket, path, content, "application/json")
    if not stored and objects.read(context, bucket, path) != content:
        return False
    reference = context.clients.get(firestore_client).document(block_path(context.tenant_id, block.number))
    with translated():
        reference.update({"copied": True}, **bounded(context.deadline))
    return True


def copy_missing(context: Context) -> int:
    """Copy the blocks whose seal died before the copy; return how many copies could not be made.

    Raises:
        Unavailable: Cloud Storage or Firestore does not answer.
    """
    query = (
        context.clients.get(firestore_client)
        .collection(technical.AUDIT_BLOCKS.path)
        .where(filter=FieldFilter("tenant_id", "==", context.tenant_id))
        .where(filter=FieldFilter("copied", "==", value=False))
        .order_by("number")
    )
    blocks = [Block.read(each.to_dict()) for each in technical.selected(context, query)]
    return sum(block is None or not copy(context, block) for block in blocks)


def chain_path_of(tenant_id: str) -> str:
    """Return the path of the document with a chain's head."""
    return f"{technical.AUDIT_CHAINS.path}/{tenant_id}"


def block_path(tenant_id: str, number: int) -> str:
    """Return the path of a block."""
    return f"{technical.AUDIT_BLOCKS.path}/{tenant_id}:{number:010d}"


def copy_path(number: int) -> str:
    """Return the path of a block's copy in the audit bucket, below the tenant."""
    return f"{FOLDER}/{number:010d}.json"
