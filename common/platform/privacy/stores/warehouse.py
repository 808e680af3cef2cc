"""The warehouse: rows are found by the person's identifiers themselves, so history of deleted documents is, too.

Rows are deleted or changed in every table of an entity or of facts that has a personal column: the current state and
the log of changes alike. One statement a table, whatever the number of rows; BigQuery refuses statements on rows that
were streamed within the last half hour or so, which is ``StillStreaming``: try again later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from google.api_core import exceptions

from common.errors import XynergyError
from common.platform.privacy.person import Person
from common.platform.privacy.rules import exported, touch_of
from common.platform.privacy.stores.port import Action, Exported, Found, Walk
from common.registry import EntityRecord, FactsRecord, PersonalRecord, entities, facts
from common.relay import json_value
from common.warehouse.calls import NotProvisioned
from common.warehouse.fact_tables import fact_relations
from common.warehouse.facts import STREAMING
from common.warehouse.query import Typed, run
from common.warehouse.tables import LOG_RETENTION_DAYS, SEQUENCE, Relation, relations

PAGE = 1000
PATIENCE = 120.0
EARLIEST = date(1970, 1, 1)


class StillStreaming(XynergyError):
    """Rows were streamed so lately that BigQuery does not change them yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A table with personal columns.

    Attributes:
        declared: What declares them.
        relation: The table.
        columns: The personal columns that the table has.
        key: Column that identifies a row.
    """

    declared: EntityRecord | FactsRecord
    relation: Relation
    columns: tuple[PersonalRecord, ...]
    key: str

    @property
    def kind(self) -> str:
        """Name of the table."""
        return self.relation.name


class Warehouse:
    """Rows of BigQuery."""

    name = "warehouse"
    hands_over = False

    def find(self, walk: Walk) -> Iterator[Found]:
        """Yield one entry for each table with rows about the person."""
        for place in places(walk):
            count = _count(walk, place)
            if count:
                deletes = any(each.erasure == "delete" for each in place.columns if each.identifies)
                fields = tuple((each.field, each.erasure) for each in place.columns)
                action: Action = "delete" if deletes else "pseudonymise"
                yield Found(kind=place.kind, name=place.relation.name, action=action, fields=fields, count=count)

    def export(self, walk: Walk) -> Iterator[Exported]:
        """Yield the rows, other people's data masked."""
        for place in places(walk):
            for row in _rows(walk, place):
                touch = touch_of(place.declared, row, walk.person)
                if touch is not None:
                    fields = exported(place.declared, touch, row, walk.person)
                    yield Exported(kind=place.kind, data={name: _json(value) for name, value in fields.items()})

    def erase(self, walk: Walk) -> dict[str, int]:
        """Delete or change the rows; return how many by table.

        Raises:
            StillStreaming: Some rows came so lately that the statement has to wait; all others are done.
            Unavailable: BigQuery does not answer.
        """
        counts: dict[str, int] = {}
        waiting = []
        for place in places(walk):
            try:
                for statement, parameters in _statements(walk, place):
                    changed = run(walk.context, statement, parameters, timeout=PATIENCE).changed or 0
                    counts[place.kind] = counts.get(place.kind, 0) + changed
            except NotProvisioned:
                continue
            except exceptions.BadRequest as error:
                if STREAMING not in str(error):
                    raise
                waiting.append(place.kind)
            walk.alive()
        if waiting:
            raise StillStreaming(", ".join(waiting))
        return {kind: count for kind, count in counts.items() if count}


def places(walk: Walk) -> list[Place]:
    """Return every table of the tenant with a column that people are found by."""
    project, tenant_id = walk.context.clients.settings.project, walk.context.tenant_id
    found = []
    for entity in entities().values():
        if entity.table is None or "{tenant_id}" not in entity.table.dataset or entity.audited == "never":
            continue
        held = relations(project, tenant_id, entity)
        columns = _personal(entity, entity.table.columns)
        tables = [held.log] if held.current is None else [held.current, held.log]
        found += [Place(declared=entity, relation=each, columns=columns, key=entity.table.key) for each in tables]
    for each in facts().values():
        rows = fact_relations(project, tenant_id, each).rows
        columns = _personal(each, each.table.columns)
        found.append(Place(declared=each, relation=rows, columns=columns, key=each.table.key))
    return [place for place in found if any(each.identifies for each in place.columns)]


def _personal(declared: EntityRecord | FactsRecord, columns: Mapping[str, str]) -> tuple[PersonalRecord, ...]:
    return tuple(each for each in declared.personal if each.field in columns)


def _matches(columns: tuple[PersonalRecord, ...], person: Person) -> str:
    """Return the condition that a row names the person in one of some columns; FALSE where none can."""
    terms = []
    for each in columns:
        if not each.identifies or not person.values[each.kind]:
            continue
        if each.repeated:
            held = f"SELECT 1 FROM UNNEST({each.field}) AS held WHERE held IN UNNEST(@{each.kind})"  # noqa: S608 - as above
            terms.append(f"EXISTS ({held})")
        elif each.kind == "email":
            terms.append(f"({each.field} IN UNNEST(@email) OR LOWER({each.field}) IN UNNEST(@email))")
        else:
            terms.append(f"{each.field} IN UNNEST(@{each.kind})")
    return " OR ".join(terms) or "FALSE"


def _bounded(place: Place, condition: str) -> tuple[str, dict[str, object]]:
    """Return the condition with a bound on the partitions: logs reach back as far as they are kept, tables all days."""
    relation = place.relation
    if relation.partition is None:
        return f"({condition})", {}
    since: object = EARLIEST
    if relation.partition_type == "TIMESTAMP":
        kept = timedelta(days=relation.expires_after or LOG_RETENTION_DAYS) + timedelta(days=2)
        since = datetime.now(UTC) - kept if relation.expires_after else datetime(1970, 1, 1, tzinfo=UTC)
    bound = f"{relation.partition} >= @since"
    if any(column.name == relation.partition and column.mode != "REQUIRED" for column in relation.columns):
        bound = f"({bound} OR {relation.partition} IS NULL)"
    return f"{bound} AND ({condition})", {"since": since}


def _values(sql: str, person: Person) -> dict[str, object]:
    return {kind: Typed("STRING", sorted(values)) for kind, values in person.values.items() if f"@{kind})" in sql}


def _count(walk: Walk, place: Place) -> int:
    condition, bounds = _bounded(place, _matches(place.columns, walk.person))
    sql = f"SELECT COUNT(*) AS rows_found FROM {place.relation.sql} WHERE {condition}"  # noqa: S608 - as below
    rows = _tolerant(walk, sql, {**bounds, **_values(sql, walk.person)})
    return int(rows[0]["rows_found"]) if rows else 0


def _tolerant(walk: Walk, sql: str, parameters: Mapping[str, object]) -> list[Mapping[str, Any]]:
    """Return the rows of a query; a tenant whose tables do not exist yet has no rows in them."""
    try:
        return run(walk.context, sql, parameters, timeout=PATIENCE).rows
    except NotProvisioned:
        return []


def _rows(walk: Walk, place: Place) -> Iterator[Mapping[str, Any]]:
    """Yield the rows about the person, page by page in the order of key and sequence."""
    names = ", ".join(column.name for column in place.relation.columns)
    last: tuple[object, int] | None = None
    while True:
        condition, bounds = _bounded(place, _matches(place.columns, walk.person))
        after: dict[str, object] = {}
        if last is not None:
            condition += f" AND ({place.key} > @key OR ({place.key} = @key AND {SEQUENCE.name} > @sequence))"
            after = {"key": last[0], "sequence": last[1]}
        sql = (
            f"SELECT {names} FROM {place.relation.sql} WHERE {condition} "  # noqa: S608 - identifiers are validated
            f"ORDER BY {place.key}, {SEQUENCE.name} LIMIT {PAGE}"
        )
        page = _tolerant(walk, sql, {**bounds, **_values(sql, walk.person), **after})
        yield from page
        walk.alive()
        if len(page) < PAGE:
            return
        last = page[-1][place.key], int(page[-1][SEQUENCE.name])


def _statements(walk: Walk, place: Place) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the statements that erase the person from a table: rows that go, then values that change."""
    going = tuple(each for each in place.columns if each.identifies and each.erasure == "delete")
    if _matches(going, walk.person) != "FALSE":
        condition, bounds = _bounded(place, _matches(going, walk.person))
        sql = f"DELETE FROM {place.relation.sql} WHERE {condition}"  # noqa: S608 - identifiers are validated
        yield sql, {**bounds, **_values(sql, walk.person)}
    for each in place.columns:
        if each.identifies and each.erasure != "delete" and walk.person.values[each.kind]:
            yield _update(walk, place, each)


def _update(walk: Walk, place: Place, finder: PersonalRecord) -> tuple[str, dict[str, object]]:
    """Return the statement that changes the values of the person whom one column identifies, and what is with it."""
    parameters: dict[str, object] = {}
    settings = [_setting(walk, place, finder, parameters)]
    single = sum(each.identifies for each in place.columns) == 1
    settings += [
        f"{each.field} = {_emptied(place, each)}"
        for each in place.columns
        if not each.identifies and (each.of == finder.field or (each.of is None and single))
    ]
    condition, bounds = _bounded(place, _matches((finder,), walk.person))
    sql = f"UPDATE {place.relation.sql} SET {', '.join(settings)} WHERE {condition}"  # noqa: S608 - as above
    return sql, {**bounds, **_values(sql, walk.person), **parameters}


def _setting(walk: Walk, place: Place, finder: PersonalRecord, parameters: dict[str, object]) -> str:
    """Return how the identifying column itself is set: every identifier to its own pseudonym, or to nothing."""
    name = finder.field
    if finder.erasure == "clear":
        kept = f"SELECT held FROM UNNEST({name}) AS held WHERE held NOT IN UNNEST(@{finder.kind})"  # noqa: S608 - as above
        return f"{name} = ARRAY({kept})" if finder.repeated else f"{name} = {_emptied(place, finder)}"
    subject = "held" if finder.repeated else name
    branches = []
    for number, value in enumerate(sorted(walk.person.values[finder.kind])):
        parameters |= {f"old{number}": value, f"new{number}": walk.pseudonym(finder.kind, value)}
        branches.append(f"WHEN {subject} = @old{number} THEN @new{number}")
    # An address in another spelling matches none of them; all spellings have one pseudonym.
    other = f"@new{len(branches) - 1}" if finder.kind == "email" and not finder.repeated else subject
    case = f"CASE {' '.join(branches)} ELSE {other} END"
    changed = f"ARRAY(SELECT {case} FROM UNNEST({name}) AS held)"  # noqa: S608 - identifiers are validated
    return f"{name} = {changed if finder.repeated else case}"


def _emptied(place: Place, each: PersonalRecord) -> str:
    column = next(column for column in place.relation.columns if column.name == each.field)
    if column.mode == "REPEATED":
        return "[]"
    return "''" if column.mode == "REQUIRED" and column.type == "STRING" else "NULL"


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else json_value(value)
