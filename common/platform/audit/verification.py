"""The daily verification: recomputes a tenant's chain from its entries and holds it against the copies.

What it finds, each with the block and, where it can be told, the entry:

====================  ==================================================================================================
``entry_changed``     an entry says something else than when it was sealed
``value_changed``     a personal value is not the one that was committed to
``value_missing``     a personal value is gone, and no redaction tells of it
``entry_removed``     a sealed entry is gone although its time to be kept is not over
``entry_inserted``    an entry is in no block and was not waiting for one
``block_changed``     a block, or the order of its entries, is not what its head or its copy says
``block_removed``     a block is gone whose copy is there, or which others stand on
``copy_missing``      the copy of a block is gone
``head_changed``      the recorded head is not that of the last block
``tail_cut``          blocks at the end are gone: their copies are there, the chain ends before them
====================  ==================================================================================================

Where a block and its copy differ, the copy counts. Redaction is none of these (``common.platform.audit.redaction``).

Blocks, heads, copies and the number of entries are verified every night. The entries themselves are, too, in trails of
up to ``WHOLE`` entries. In larger ones, where each night would read years of changes, the newest are recomputed and a
thirtieth of the others; whenever the number of entries is not what the blocks say, all of them are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common import logs, objects, security_events, technical
from common.clients.firestore import firestore_client
from common.context import PLATFORM_TENANT, Context
from common.firestore_calls import bounded, translated
from common.platform.audit.chain import BEGINNING, Block, Sealed, broken_commitments, digest_of, has_gaps
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.audit.models import AuditEntry
from common.platform.audit.redaction import redacted_by
from common.platform.audit.seal import FOLDER, NEVER, block_path, chain_path_of, copy_missing, copy_path
from common.platform.audit.verification_models import Finding, FindingKind, Verification, VerifyTask
from common.platform.privacy.retention.policy import chosen
from common.retention import CLASSES
from common.store import Repository
from common.tasks import enqueue

TASK = "platform-audit-verify-tenant"
EVERY = timedelta(hours=20)
"""A chain verified less long ago is not verified again by the schedule."""
AT_ONCE = 1000
"""Chains of one run of the schedule, the longest unverified first."""
TOLD = 100
"""Findings that a result lists; all are counted."""
WHOLE = 20_000
"""Entries up to which a trail is recomputed whole every night."""
NEWEST = 25
"""Blocks at the end that are recomputed every night in larger trails."""
TURNS = 30
"""Nights in which each of the other blocks has its turn."""
UNDER_WAY = timedelta(minutes=10)
"""Age of an entry up to which it may be seen before its pointer or its block."""
LONGEST = 1800


def enqueue_due(context: Context, now: datetime | None = None) -> int:
    """Make a task for every chain that was not verified for ``EVERY``; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    now = now or datetime.now(UTC)
    chains = context.clients.get(firestore_client).collection(technical.AUDIT_CHAINS.path)
    query = chains.where(filter=FieldFilter("verified_at", "<=", now - EVERY)).order_by("verified_at").limit(AT_ONCE)
    found = technical.selected(context, query)
    for each in found:
        tenant = context.for_tenant(each.id)
        enqueue(tenant, TASK, VerifyTask(asked_at=now), name=f"{each.id}-{now:%Y%m%dT%H%M}", dispatch_deadline=LONGEST)
    return len(found)


def last_result(context: Context) -> Verification:
    """Return what the last verification of the tenant's chain found; ``not_verified`` where there was none yet."""
    found = technical.read(context, chain_path_of(context.tenant_id))
    if found is None or found[0].get("verification") is None:
        return Verification(status="not_verified")
    return Verification.model_validate(found[0]["verification"])


def verify(context: Context) -> Verification:
    """Verify the chain of the tenant, keep the result, and raise the alarm where it is broken.

    Raises:
        Unavailable: Firestore or Cloud Storage does not answer; nothing is kept then.
    """
    result = _Run(context).result()
    reference = context.clients.get(firestore_client).document(chain_path_of(context.tenant_id))
    fields = {"verification": result.model_dump(mode="json"), "verified_at": result.verified_at}
    named = {"tenant_id": context.tenant_id, **fields}
    with translated():
        reference.set(named, merge=True, **bounded(context.deadline))
    if result.status == "broken":
        _alarm(context, result)
    return result


def _alarm(context: Context, result: Verification) -> None:
    first = result.findings[0]
    details = {"findings": result.found, "kind": first.kind, "block": first.block, "entry_id": first.entry_id or ""}
    logs.logger(context).error("audit_chain_broken", audit=True, code="audit_chain_broken", **details)
    security_events.record(context, "audit_chain_broken", outcome="found", details=details)


@dataclass(slots=True)
class _Run:
    """One verification."""

    context: Context
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    blocks: int = 0
    entries: int = 0
    expired: int = 0
    sealed: int = 0
    kept: int = 0
    postponed: list[int] = field(default_factory=list)
    found: int = 0
    findings: list[Finding] = field(default_factory=list)
    gaps: dict[str, int] = field(default_factory=dict)
    explained: set[str] = field(default_factory=set)
    head: str = BEGINNING
    _first: int = 0
    _kept_since: datetime = NEVER

    def result(self) -> Verification:
        context = self.context
        copy_missing(context)
        self._kept_since = self.started - self._kept()
        chain = self._chain()
        recorded = chain.get("number", 0)
        copies = self._copies()
        last = max([recorded, *copies], default=0)
        self._first = 0 if chain.get("entries", 0) <= WHOLE else last - NEWEST
        for number in range(1, last + 1):
            self._block(number, recorded, has_copy=number in copies)
            if number == recorded and chain["head"] != self.head:
                self._find("head_changed", number, "the recorded head is not that of the last block")
        unsealed = self._unsealed()
        self._count(last, unsealed)
        self._unexplained()
        return Verification(
            status="broken" if self.found else "intact",
            verified_at=self.started,
            blocks=self.blocks,
            sealed=self.sealed,
            entries=self.entries,
            whole=not self.postponed,
            unsealed=unsealed,
            redacted=len(self.gaps),
            expired=self.expired,
            head=self.head,
            found=self.found,
            findings=self.findings,
        )

    def _chain(self) -> Mapping[str, Any]:
        found = technical.read(self.context, chain_path_of(self.context.tenant_id))
        return {} if found is None else found[0]

    def _copies(self) -> set[int]:
        paths = objects.paths(self.context, self.context.clients.settings.audit_bucket, FOLDER)
        names = [path.rpartition("/")[2].removesuffix(".json") for path in paths]
        return {int(name) for name in names if name.isdecimal()}

    def _find(self, kind: FindingKind, block: int, detail: str, entry_id: str | None = None) -> None:
        self.found += 1
        if len(self.findings) < TOLD:
            self.findings.append(Finding(kind=kind, block=block, entry_id=entry_id, detail=detail))

    def _block(self, number: int, recorded: int, *, has_copy: bool) -> None:
        stored = technical.read(self.context, block_path(self.context.tenant_id, number))
        block = None if stored is None else Block.read(stored[0])
        copy = self._copy(number) if has_copy else None
        truth = copy or block
        under_way = truth is not None and truth.sealed_at > self.started - UNDER_WAY
        if number > recorded and not (under_way and stored is not None):
            self._find("tail_cut", number, "the recorded chain ends before this block, of which there is a copy")
        elif stored is None:
            self._find("block_removed", number, "the block is gone")
        elif not has_copy and not under_way:
            self._find("copy_missing", number, "the copy of the block is gone")
        elif has_copy and (copy is None or block is None or copy.content() != block.content()):
            self._find("block_changed", number, _difference(block, copy))
        if truth is None:
            return
        self.blocks += 1
        if not truth.is_whole or truth.previous != self.head or truth.number != number:
            self._find("block_changed", number, "its head is not that of its entries after the block before")
        self.head = truth.head
        self.sealed += len(truth.entries)
        self.kept += sum(place.moment >= self._kept_since for place in truth.entries)
        turn = self.started.toordinal() % TURNS == number % TURNS
        if number > self._first or turn:
            self._entries(truth)
        else:
            self.postponed.append(number)

    def _copy(self, number: int) -> Block | None:
        content = objects.read(self.context, self.context.clients.settings.audit_bucket, copy_path(number))
        return None if content is None else Block.parse(content)

    def _entries(self, block: Block) -> None:
        found = Repository(AUDIT_ENTRIES, self.context).get_many([each.entry_id for each in block.entries])
        for place in block.entries:
            record = found.get(place.entry_id)
            if record is not None:
                self._entry(block.number, place, record.value)
            elif place.moment < self._kept_since:
                self.expired += 1
            else:
                self._find("entry_removed", block.number, "the entry is gone", place.entry_id)

    def _kept(self) -> timedelta:
        """Return how long entries are kept at least; a tenant that ever chose may have chosen the shortest period."""
        security = CLASSES[AUDIT_ENTRIES.retention]
        ever_chosen = security.name in chosen(self.context) if self.context.tenant_id != PLATFORM_TENANT else False
        return timedelta(days=(security.shortest if ever_chosen else security.days) or 0)

    def _entry(self, number: int, place: Sealed, entry: AuditEntry) -> None:
        self.entries += 1
        if digest_of(entry) != place.digest:
            self._find("entry_changed", number, "the entry says something else than it did", place.entry_id)
            return
        for name in broken_commitments(entry):
            self._find("value_changed", number, f"the value of {name} is another one", place.entry_id)
        if entry.operation == "redacted":
            self.explained.update(map(str, redacted_by(entry)))
        if has_gaps(entry) and not entry.erased_before:
            self.gaps[place.entry_id] = number

    def _unexplained(self) -> None:
        missing = self.gaps.keys() - self.explained
        if not missing:
            return
        # The entries that tell of it may not be sealed yet, or have had their turn another night.
        for record in Repository(AUDIT_ENTRIES, self.context).select([("operation", "==", "redacted")]):
            self.explained.update(map(str, redacted_by(record.value)))
        for entry_id in sorted(missing - self.explained):
            self._find("value_missing", self.gaps[entry_id], "a value is gone, and no redaction tells of it", entry_id)

    def _unsealed(self) -> int:
        query = self.context.clients.get(firestore_client).collection(technical.AUDIT_UNSEALED.path)
        query = query.where(filter=FieldFilter("tenant_id", "==", self.context.tenant_id))
        with translated():
            return int(query.count().get(**bounded(self.context.deadline))[0][0].value)

    def _count(self, last: int, unsealed: int) -> None:
        """Hold the number of entries against the blocks; where it is another one, look at every entry."""
        trail = Repository(AUDIT_ENTRIES, self.context)
        present = trail.count() - trail.count([("at", "<", self._kept_since)])
        if present < self.kept + unsealed:
            postponed, self.postponed = self.postponed, []
            for block in filter(None, map(self._again, postponed)):
                self._entries(block)
        if present > self.kept + unsealed - sum(finding.kind == "entry_removed" for finding in self.findings):
            self._inserted(last)

    def _inserted(self, last: int) -> None:
        """Look for entries that are in no block; seals may have gone on meanwhile."""
        last = max(last, self._chain().get("number", 0))
        known = {each for number in range(1, last + 1) for each in self._sealed_ids(number)}
        for entry_id, recorded_at in self._all_entries():
            young = self.started - UNDER_WAY <= recorded_at <= datetime.now(UTC) + UNDER_WAY
            if entry_id in known or young or self._waits(entry_id):
                continue
            self._find("entry_inserted", 0, "the entry is in no block", entry_id)

    def _sealed_ids(self, number: int) -> Iterator[str]:
        block = self._again(number)
        yield from (each.entry_id for each in (block.entries if block else ()))

    def _again(self, number: int) -> Block | None:
        """Return a block that counts, from its copy where there is one."""
        copy = self._copy(number)
        stored = None if copy else technical.read(self.context, block_path(self.context.tenant_id, number))
        return copy if stored is None else Block.read(stored[0])

    def _all_entries(self) -> Iterator[tuple[str, datetime]]:
        """Yield id and time of taking of every entry, without its content."""
        query = self.context.clients.get(firestore_client).collection(AUDIT_ENTRIES.collection)
        query = query.where(filter=FieldFilter("tenant_id", "==", self.context.tenant_id)).select(["recorded_at"])
        query, after = query.order_by("__name__").limit(AT_ONCE), None
        while True:
            page = technical.selected(self.context, query if after is None else query.start_after(after))
            yield from ((each.id, each.get("recorded_at")) for each in page)
            if len(page) < AT_ONCE:
                return
            after = page[-1]

    def _waits(self, entry_id: str) -> bool:
        found = technical.read(self.context, f"{technical.AUDIT_UNSEALED.path}/{entry_id}")
        return found is not None and found[0].get("tenant_id") == self.context.tenant_id


def _difference(block: Block | None, copy: Block | None) -> str:
    if block is None or copy is None:
        return "the block cannot be read" if block is None else "the copy cannot be read"
    if {each.line() for each in block.entries} == {each.line() for each in copy.entries}:
        return "the order or the head of the block is not that of its copy"
    return "the block has other entries than its copy"
