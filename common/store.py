"""The repository of entities on Firestore, driven by their declarations.

A request changes documents in ONE transaction (``transact`` or ``write_record``): the entities, the key documents of
their uniqueness, the tombstones of deletions and the answer under the request's idempotency key. Firestore's change
feed is the outbox: nothing else needs to be written, so nothing can be lost between two writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.field_path import FieldPath

from common.answers import Page, Record
from common.clients.firestore import firestore_client
from common.collection import DOCUMENT_NAME, Collection, Filter
from common.context import Context
from common.documents import ABSENT, META, SCHEMA_VERSION, TENANT_ID, changes, encode, meta_of, stored_name
from common.entity import Entity
from common.errors import Conflict, PreconditionFailed, Unavailable
from common.firestore_calls import TRANSIENT, Contended, bounded, pause, translated
from common.idempotency import UNKNOWN_TIME, Answered, Claim
from common.model import Model
from common.pagination import open_cursor, query_fingerprint, sign_cursor
from common.tombstones import tombstone, tombstone_path
from common.transaction import Transaction, Write
from common.uniqueness import Key, is_directory, keys_of

EntityModel = TypeVar("EntityModel", bound=Model)
Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_WRITES = 500
"""Writes one commit takes; an entity costs one, each of its unique rules up to two more."""


class Repository(Generic[EntityModel]):
    """Reads the documents of one entity for the context's tenant, outside any transaction.

    Another tenant's document does not exist here: every read checks the tenant and every query filters by it.

    Args:
        entity: What is stored.
        context: Whose documents.
    """

    def __init__(self, entity: Entity[EntityModel], context: Context) -> None:
        self._collection = Collection(entity, context)
        self._context = context

    def get(self, document_id: str) -> Record[EntityModel]:
        """Return a document.

        Raises:
            NotFound: ``<entity>_not_found``: there is none, or it is another tenant's.
        """
        return _present(self._collection, document_id, self.find(document_id))

    def find(self, document_id: str) -> Record[EntityModel] | None:
        """Return a document, or None."""
        return self.get_many([document_id]).get(document_id)

    def get_many(self, document_ids: Iterable[str]) -> dict[str, Record[EntityModel]]:
        """Return those documents that exist, by id."""
        found = self._collection.snapshots(document_ids)
        return {name: self._collection.record(snapshot) for name, snapshot in found.items()}

    def select(
        self, filters: Sequence[Filter] = (), order: Sequence[str] = (), limit: int | None = None
    ) -> list[Record[EntityModel]]:
        """Return the documents that match, at most ``limit``."""
        query = self._collection.query(filters, order)
        snapshots = self._collection.run(query if limit is None else query.limit(limit))
        return [self._collection.record(snapshot) for snapshot in snapshots]

    def count(self, filters: Sequence[Filter] = ()) -> int:
        """Return how many documents match."""
        return self._collection.count(filters)

    def page(
        self,
        filters: Sequence[Filter] = (),
        order: Sequence[str] = ("-created_at",),
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[EntityModel]:
        """Return one page of a list.

        Pages are keyed by the values of the last item, so documents created meanwhile shift nothing.

        Args:
            filters: What to list.
            order: Fields to sort by, ``-`` for descending; empty for the order of ids.
            limit: Items at most.
            cursor: ``next_cursor`` of the page before.

        Raises:
            BadRequest: ``invalid_cursor``: not ours, or of another query.
        """
        order = order or (DOCUMENT_NAME,)
        settings = self._context.clients.settings
        entity = self._collection.entity
        fingerprint = query_fingerprint(self._context.tenant_id, entity.name, filters, order)
        query = self._collection.query(filters, order)
        names = [name for name, _ in self._collection.ordering(order)]
        if cursor is not None:
            query = query.start_after(dict(zip(names, open_cursor(settings, cursor, fingerprint), strict=True)))
        snapshots = self._collection.run(query.limit(limit + 1))
        following = None
        if len(snapshots) > limit:
            last = snapshots[limit - 1]
            values = [last.id if name == DOCUMENT_NAME else last.get(name) for name in names]
            following = sign_cursor(settings, values, fingerprint)
        return Page(
            items=[self._collection.record(snapshot).value for snapshot in snapshots[:limit]], next_cursor=following
        )


class Work:
    """One transaction under way: reads see the database before it, writes are buffered and committed together.

    ``transact`` makes it and may call the same work more than once: it must not do anything outside of it.

    Args:
        context: Circumstances of the request.
        transaction: Where to read.
    """

    def __init__(self, context: Context, transaction: Transaction) -> None:
        self.context = context
        self.created: dict[str, Conflict] = {}
        self._transaction = transaction
        self._client = context.clients.get(firestore_client)
        self._snapshots: dict[str, Any] = {}
        self._records: list[Record[Any]] = []
        self._writes: dict[str, Write] = {}
        self._claimed: dict[str, Key] = {}
        self._released: dict[str, Key] = {}
        self._stamped: list[str] = []
        self._meta = meta_of(context)

    # ------------------------------------------------------------------ reads

    def get(self, entity: Entity[EntityModel], document_id: str) -> Record[EntityModel]:
        """Return a document; see ``Repository.get``."""
        return _present(Collection(entity, self.context), document_id, self.find(entity, document_id))

    def find(self, entity: Entity[EntityModel], document_id: str) -> Record[EntityModel] | None:
        """Return a document, or None."""
        return self.get_many(entity, [document_id]).get(document_id)

    def get_many(self, entity: Entity[EntityModel], document_ids: Iterable[str]) -> dict[str, Record[EntityModel]]:
        """Return those documents that exist, by id."""
        collection = Collection(entity, self.context, self._transaction)
        found = collection.snapshots(document_ids)
        return {name: self._remember(collection, snapshot) for name, snapshot in found.items()}

    def select(
        self,
        entity: Entity[EntityModel],
        filters: Sequence[Filter] = (),
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Record[EntityModel]]:
        """Return the documents that match, at most ``limit``."""
        collection = Collection(entity, self.context, self._transaction)
        query = collection.query(filters, order)
        snapshots = collection.run(query if limit is None else query.limit(limit))
        return [self._remember(collection, snapshot) for snapshot in snapshots]

    def get_for_update(self, entity: Entity[EntityModel], document_id: str) -> Record[EntityModel]:
        """Return a document that the request is about to change.

        Raises:
            NotFound: As ``get``.
            PreconditionFailed: ``stale_etag``: the caller's ``If-Match`` names another version.
        """
        record = self.get(entity, document_id)
        if self.context.if_match not in {None, "*", record.etag}:
            raise PreconditionFailed(
                "stale_etag",
                f"The {entity.name.replace('_', ' ')} was changed since; read it again.",
                details={"current_etag": record.etag},
            )
        return record

    # ------------------------------------------------------------------ writes

    def create(self, entity: Entity[EntityModel], value: EntityModel) -> EntityModel:
        """Create a document; its id is the value of the entity's key.

        The commit raises ``Conflict`` with ``<entity>_exists`` or the code of a rule of uniqueness.
        """
        path, reference = self._target(entity, value)
        fields = encode(value)
        self.created[path] = Conflict(
            f"{entity.name}_exists", f"There is a {entity.name.replace('_', ' ')} with this id already."
        )
        self._claim(keys_of(entity, self.context.tenant_id, path, fields))
        document = {**fields, **self._stamp(entity)}
        self._stamped.append(path)
        self._buffer(path, lambda batch: batch.create(reference, document))
        return value

    def update(self, entity: Entity[EntityModel], record: Record[EntityModel], value: EntityModel) -> EntityModel:
        """Write what differs between a record and its new value; nothing, where nothing differs.

        Raises:
            Conflict: ``<entity>_changed``: the record was read earlier and is stale by now.
        """
        path, reference = self._target(entity, value)
        before, after = encode(record.value), encode(value)
        if before[_key_name(entity)] != after[_key_name(entity)]:
            raise ValueError(f"{entity.name}: an update cannot change the key")
        changed = changes(before, after)
        if not changed:
            self._records.append(Record(value=value, update_time=record.update_time))
            return value
        stored = self._current(entity, record, path)
        tenant_id = self.context.tenant_id
        old, new = keys_of(entity, tenant_id, path, before), keys_of(entity, tenant_id, path, after)
        self._claim({name: key for name, key in new.items() if name not in old})
        self._release({name: key for name, key in old.items() if name not in new})
        updates = {
            FieldPath(*field).to_api_repr(): firestore.DELETE_FIELD if item is ABSENT else item
            for field, item in changed.items()
        }
        stamp = self._stamp(entity)
        stamp[SCHEMA_VERSION] = max(entity.schema_version, stored.get(SCHEMA_VERSION, 0))
        self._stamped.append(path)
        self._buffer(path, lambda batch: batch.update(reference, {**updates, **stamp}))
        return value

    def delete(self, entity: Entity[EntityModel], record: Record[EntityModel]) -> None:
        """Delete a document, free its unique values and leave a tombstone that tells who did it.

        Raises:
            Conflict: ``<entity>_changed``: the record was read earlier and is stale by now.
        """
        path, reference = self._target(entity, record.value)
        self._current(entity, record, path)
        self._release(keys_of(entity, self.context.tenant_id, path, encode(record.value)))
        self._buffer(path, lambda batch: batch.delete(reference))
        marker = self._client.document(tombstone_path(path))
        fields = tombstone(path, self.context.tenant_id, self._meta, record.update_time)
        self._stamped.append(marker.path)
        self._buffer(marker.path, lambda batch: batch.set(marker, fields))

    def write(self, path: str, write: Write) -> None:
        """Add the write of a technical document (``common.technical``) to this transaction."""
        self._buffer(path, write)

    @property
    def transaction(self) -> Transaction:
        """The transaction, for reads of technical documents."""
        return self._transaction

    # ------------------------------------------------------------------ for ``transact``

    @property
    def writes(self) -> list[Write]:
        """Every buffered write, the key documents included."""
        return [*self._writes.values(), *self._key_writes()]

    def conflicts(self) -> dict[str, Conflict]:
        """Return the refusal for every document that must not exist yet, by path."""
        taken = {
            path: Conflict(key.rule.code, f"Another one has the same {' and '.join(key.rule.fields)}.")
            for path, key in self._claimed.items()
            if path not in self._released
        }
        return {**taken, **self.created}

    def landed(self) -> datetime | None:
        """Return the commit time of a commit that got no answer, if what it wrote is found."""
        for path in self._stamped:
            with translated():
                snapshot = self._client.document(path).get(**bounded(self.context.deadline))
            earlier = self._snapshots.get(path)
            ours = snapshot.exists and snapshot.to_dict().get(META) == self._meta
            if not ours or (earlier is not None and earlier.update_time == snapshot.update_time):
                return None
            return snapshot.update_time  # type: ignore[no-any-return]
        return None

    def version_of(self, value: Model) -> datetime | None:
        """Return the update time of a value that this work read or left unchanged; None for a written one."""
        return next((record.update_time for record in reversed(self._records) if record.value is value), None)

    def _key_writes(self) -> Iterator[Write]:
        for path, key in self._claimed.items():
            yield key.written(self._client, taken_over=path in self._released)
        for path, key in self._released.items():
            if path not in self._claimed:
                yield key.deleted(self._client)

    def _claim(self, keys: dict[str, Key]) -> None:
        for path, key in keys.items():
            if path in self._claimed:
                raise Conflict(key.rule.code, f"Two of these have the same {' and '.join(key.rule.fields)}.")
            self._claimed[path] = key

    def _release(self, keys: dict[str, Key]) -> None:
        self._released.update(keys)

    def _remember(self, collection: Collection[EntityModel], snapshot: Any) -> Record[EntityModel]:
        record = collection.record(snapshot)
        self._snapshots[snapshot.reference.path] = snapshot
        self._records.append(record)
        return record

    def _current(self, entity: Entity[EntityModel], record: Record[EntityModel], path: str) -> dict[str, Any]:
        """Return the stored document that ``record`` was made from, read in this transaction."""
        if path not in self._snapshots:
            self.find(entity, path.rpartition("/")[2])
        snapshot = self._snapshots.get(path)
        if snapshot is None or snapshot.update_time != record.update_time:
            raise Conflict(
                f"{entity.name}_changed", f"The {entity.name.replace('_', ' ')} was changed meanwhile; read it again."
            )
        return cast("dict[str, Any]", snapshot.to_dict())

    def _target(self, entity: Entity[EntityModel], value: EntityModel) -> tuple[str, Any]:
        document_id = str(getattr(value, entity.key))
        if is_directory(entity) and document_id != self.context.tenant_id:
            raise ValueError(f"{entity.name}: only the tenant's own work may write it (context.for_tenant)")
        reference = Collection(entity, self.context).reference(document_id)
        return reference.path, reference

    def _stamp(self, entity: Entity[EntityModel]) -> dict[str, Any]:
        return {TENANT_ID: self.context.tenant_id, SCHEMA_VERSION: entity.schema_version, META: self._meta}

    def _buffer(self, path: str, write: Write) -> None:
        if path in self._writes:
            raise ValueError(f"{path} is written twice in one transaction")
        self._writes[path] = write


def transact(context: Context, work: Callable[[Work], Result], *, answers: bool = True) -> Result:
    """Run ``work`` in a transaction and commit what it wrote; its result is the answer to the request.

    The work is run again when other requests changed what it read, until the deadline passes. If the request has an
    idempotency key, the result (a model, record, page, ``Answer`` or None, as the handler returns it) is stored with
    the commit. A result that is not an answer stores the fact only: after a crash its repetition is refused.

    Args:
        context: Circumstances of the request.
        work: Reads and writes; no side effect outside of it.
        answers: False where this is one of several transactions of a request, each harmless to repeat: the answer is
            then stored when the request ends.

    Raises:
        Conflict: A document or unique value exists already.
        Answered: Another request with the same idempotency key was faster.
        Unavailable: Firestore is away, or others keep changing the same documents.
    """
    return _committed(context, work, answers=answers, answer_of=lambda _, result: result)[0]


def write_record(context: Context, work: Callable[[Work], EntityModel]) -> Record[EntityModel]:
    """Run ``work`` in a transaction and return the entity it returns with its version.

    A value that the work created or changed has the commit's version; one it left unchanged keeps its own.
    """

    def answer_of(unit: Work, value: EntityModel) -> Record[EntityModel]:
        return Record(value=value, update_time=unit.version_of(value) or UNKNOWN_TIME)

    value, unit, commit_time = _committed(context, work, answers=True, answer_of=answer_of)
    return Record(value=value, update_time=unit.version_of(value) or commit_time)


def in_chunks(items: Sequence[Item], size: int = 100) -> Iterator[Sequence[Item]]:
    """Yield ``items`` in slices that fit one transaction each."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _committed(
    context: Context,
    work: Callable[[Work], Result],
    *,
    answers: bool,
    answer_of: Callable[[Work, Result], object],
) -> tuple[Result, Work, datetime]:
    """Run the work until a commit takes; return its result, itself and the commit time."""
    claim = context.claim if answers and context.claim is not None and context.claim.recorded is None else None
    attempt = 0
    while True:
        attempt += 1
        transaction = Transaction(context.clients.get(firestore_client), context.deadline)
        unit = Work(context, transaction)
        commit_time = None
        try:
            result = work(unit)
            commit_time = _commit(unit, claim, None if claim is None else answer_of(unit, result))
        except Contended:
            pass  # a read met another transaction's lock
        finally:
            transaction.close()
        if commit_time is not None:
            return result, unit, commit_time
        pause(attempt, context.deadline)


def _commit(unit: Work, claim: Claim | None, answer: object) -> datetime | None:
    """Commit once; return the commit time, or None where the work has to be run again."""
    writes = unit.writes
    if claim is not None:
        writes.append(claim.stage(answer))
    if not writes:
        return UNKNOWN_TIME
    if len(writes) > MAX_WRITES:
        raise ValueError(f"{len(writes)} writes in one transaction; {MAX_WRITES} is the limit (in_chunks)")
    try:
        commit_time = unit.transaction.commit(writes)
    except (exceptions.Aborted, exceptions.NotFound):
        return None
    except (exceptions.AlreadyExists, exceptions.FailedPrecondition):
        unit.transaction.close()
        _explain(unit, claim)
        return None
    except TRANSIENT as error:
        landed = unit.landed() if claim is None else claim.landed()
        if landed is None:
            raise Unavailable("firestore", f"Firestore did not take the change ({type(error).__name__})") from error
        commit_time = landed
    if claim is not None:
        claim.committed(commit_time)
    return commit_time


def _explain(unit: Work, claim: Claim | None) -> None:
    """Raise why a document that had to be new existed; return if it is gone meanwhile."""
    answer = None if claim is None else claim.found()
    if claim is not None and answer is not None:
        claim.release()
        raise Answered(answer)
    conflicts = unit.conflicts()
    client = unit.context.clients.get(firestore_client)
    references = [client.document(path) for path in conflicts]
    with translated():
        found = [
            each.reference.path for each in client.get_all(references, **bounded(unit.context.deadline)) if each.exists
        ]
    if found:
        raise conflicts[found[0]]


def _present(
    collection: Collection[EntityModel], document_id: str, record: Record[EntityModel] | None
) -> Record[EntityModel]:
    if record is None:
        raise collection.missing(document_id)
    return record


def _key_name(entity: Entity[EntityModel]) -> str:
    return stored_name(entity.model, entity.key)
