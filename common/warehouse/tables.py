"""The warehouse's tables, derived from the entity declarations: names, schemas, partitions and the read view.

An entity with a table has three relations in its data set:

* ``<name>_changes``: the append-only log of changes, partitioned by the day of arrival;
* ``<name>``: the current state of document 000, brought up to date by a merge every few minutes;
* ``<name>_latest``: the view to read: current rows that nothing supersedes, plus the newest of the recent log.

An immutable entity (observations) has no log beside its table: ``<name>`` itself is appended to, partitioned by the
declared column, and ``<name>_latest`` removes duplicates. Nothing here imports a client library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from common.context import TENANT_ID
from common.errors import ConfigurationError
from common.registry import EntityRecord, TableRecord, entities

IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,119}")
"""Names of data sets, tables and columns that are ever put into SQL text."""
PROJECT_ID = re.compile(r"[a-z][a-z0-9.:-]{2,61}[a-z0-9]")
LOG_RETENTION_DAYS = 90
"""Days the log is kept (document 000: analytics 90 days)."""
RECENT_DAYS = 7
"""Days of the log that the view reads: a table may stay unmerged that long before a reader misses a change."""

Mode = Literal["NULLABLE", "REQUIRED", "REPEATED"]
TYPES = frozenset({"STRING", "INT64", "FLOAT64", "NUMERIC", "BOOL", "TIMESTAMP", "DATE", "BYTES", "JSON"})
_COLUMN = re.compile(r"(?:ARRAY<(?P<element>\w+)>|(?P<scalar>\w+))(?P<required> NOT NULL)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Equal to the document's field.
        type: One of ``TYPES``; the element's type of a repeated column.
        mode: BigQuery's mode.
        description: What the catalogue of BigQuery shows.
    """

    name: str
    type: str
    mode: Mode = "NULLABLE"
    description: str = ""

    def resource(self) -> dict[str, str]:
        """Return the column as BigQuery's REST interface writes it."""
        return {"name": self.name, "type": self.type, "mode": self.mode, "description": self.description}

    def ddl(self) -> str:
        """Return the column as a line of ``CREATE TABLE``."""
        kind = f"ARRAY<{self.type}>" if self.mode == "REPEATED" else self.type
        return f"{self.name} {kind}{' NOT NULL' if self.mode == 'REQUIRED' else ''}"


SCHEMA_VERSION = Column(name="schema_version", type="INT64", description="Version of the schema that wrote the row.")
SEQUENCE = Column(
    name="change_sequence",
    type="INT64",
    description="Microseconds since the epoch of the document's update time; the later change wins.",
)
LOG_COLUMNS = (
    Column(name="change_operation", type="STRING", mode="REQUIRED", description="created, updated or deleted."),
    Column(name="change_event_id", type="STRING", mode="REQUIRED", description="Id of the domain event."),
    Column(name="appended_at", type="TIMESTAMP", mode="REQUIRED", description="When the row arrived in the log."),
)


def identifier(name: str) -> str:
    """Return ``name`` if it may be put into SQL text.

    Raises:
        ConfigurationError: It is not a plain lower-case identifier.
    """
    if IDENTIFIER.fullmatch(name) is None:
        raise ConfigurationError(f"{name!r} is no identifier the warehouse uses")
    return name


def declared_columns(table: TableRecord) -> tuple[Column, ...]:
    """Return the declared columns, followed by the schema version and the sequence.

    Raises:
        ConfigurationError: A declaration names a type the warehouse does not know, or a key, partition or cluster
            column that is not declared.
    """
    columns = [_parsed(name, declaration) for name, declaration in table.columns.items()]
    names = {column.name for column in columns}
    for name in (table.key, *([table.partition] if table.partition else []), *table.cluster):
        if name not in names:
            raise ConfigurationError(f"table {table.name}: {name!r} is not among its columns")
    return (*(column for column in columns if column.name != SCHEMA_VERSION.name), SCHEMA_VERSION, SEQUENCE)


def _parsed(name: str, declaration: str) -> Column:
    match = _COLUMN.fullmatch(declaration.strip())
    if match is None or (match["element"] or match["scalar"]) not in TYPES:
        raise ConfigurationError(f"column {name}: {declaration!r} is no type the warehouse knows")
    if match["element"]:
        return Column(name=identifier(name), type=match["element"], mode="REPEATED")
    return Column(name=identifier(name), type=match["scalar"], mode="REQUIRED" if match["required"] else "NULLABLE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A table of one tenant.

    Attributes:
        project: Project id.
        dataset: Data set id.
        name: Table id.
        columns: In order.
        partition: Column whose day partitions the table; None leaves it whole.
        partition_type: Type of that column.
        expires_after: Days after which a partition is dropped; None keeps it.
        cluster: Clustering columns.
        description: What the catalogue of BigQuery shows.
    """

    project: str
    dataset: str
    name: str
    columns: tuple[Column, ...]
    partition: str | None
    partition_type: str
    expires_after: int | None
    cluster: tuple[str, ...]
    description: str

    @property
    def id(self) -> str:
        """``project.dataset.table``."""
        return f"{self.project}.{self.dataset}.{self.name}"

    @property
    def sql(self) -> str:
        """The name as SQL text."""
        return f"`{self.id}`"

    def resource(self) -> dict[str, Any]:
        """Return the table as BigQuery's REST interface writes it."""
        table: dict[str, Any] = {
            "tableReference": {"projectId": self.project, "datasetId": self.dataset, "tableId": self.name},
            "schema": {"fields": [column.resource() for column in self.columns]},
            "description": self.description,
        }
        if self.partition:
            table["timePartitioning"] = {"type": "DAY", "field": self.partition}
            if self.expires_after:
                table["timePartitioning"]["expirationMs"] = str(self.expires_after * 86_400_000)
        if self.cluster:
            table["clustering"] = {"fields": list(self.cluster)}
        return table

    def ddl(self) -> str:
        """Return the statement that creates the table, for people and for comparison with document 000."""
        lines = [f"CREATE TABLE {self.sql} (", ",\n".join(f"  {column.ddl()}" for column in self.columns), ")"]
        if self.partition:
            plain = self.partition_type == "DATE"
            lines.append(f"PARTITION BY {self.partition if plain else f'DATE({self.partition})'}")
        if self.cluster:
            lines.append(f"CLUSTER BY {', '.join(self.cluster)}")
        if self.partition and self.expires_after:
            lines.append(f"OPTIONS (partition_expiration_days = {self.expires_after})")
        return "\n".join(lines) + ";"


@dataclass(frozen=True, kw_only=True, slots=True)
class Relations:
    """The relations of one entity for one tenant.

    Attributes:
        entity: The entity.
        table: Its table.
        current: Current state; None for an immutable entity.
        log: Where rows are appended: the log, or the table itself for an immutable entity.
        view_name: Name of the read view.
    """

    entity: EntityRecord
    table: TableRecord
    current: Relation | None
    log: Relation
    view_name: str

    @property
    def view(self) -> str:
        """The read view as SQL text."""
        return f"`{self.log.project}.{self.log.dataset}.{self.view_name}`"

    @property
    def read_columns(self) -> tuple[str, ...]:
        """Columns of the read view, in order."""
        return tuple(column.name for column in declared_columns(self.table))


def dataset_id(table: TableRecord, tenant_id: str) -> str:
    """Return the data set of a tenant.

    Raises:
        ConfigurationError: The tenant id is not one.
    """
    if TENANT_ID.fullmatch(tenant_id) is None:
        raise ConfigurationError(f"{tenant_id!r} is no tenant id")
    return identifier(table.dataset_of(tenant_id))


def relations(project: str, tenant_id: str, entity: EntityRecord) -> Relations:
    """Return the relations of an entity for a tenant.

    Raises:
        ConfigurationError: The entity has no table, or a name is not an identifier.
    """
    table = entity.table
    if table is None:
        raise ConfigurationError(f"{entity.name} has no table in the warehouse")
    if PROJECT_ID.fullmatch(project) is None:
        raise ConfigurationError(f"{project!r} is no project id")
    dataset, name = dataset_id(table, tenant_id), identifier(table.name)
    columns = declared_columns(table)
    current = Relation(
        project=project,
        dataset=dataset,
        name=name,
        columns=columns,
        partition=table.partition,
        partition_type=next((column.type for column in columns if column.name == table.partition), ""),
        expires_after=None,
        cluster=table.cluster,
        description=f"Current state of every {entity.name}; read {name}_latest for what arrived since the last merge.",
    )
    if table.immutable:
        log = _appendable(current, name, table)
        return Relations(entity=entity, table=table, current=None, log=log, view_name=f"{name}_latest")
    log = _appendable(current, f"{name}_changes", table)
    return Relations(entity=entity, table=table, current=current, log=log, view_name=f"{name}_latest")


def _appendable(current: Relation, name: str, table: TableRecord) -> Relation:
    """Return the relation that rows are appended to; all but key and sequence may be null there (deletions)."""
    needed = {table.key, SEQUENCE.name} | ({table.partition} if table.immutable and table.partition else set())
    columns = tuple(
        Column(
            name=column.name,
            type=column.type,
            mode="REPEATED" if column.mode == "REPEATED" else ("REQUIRED" if column.name in needed else "NULLABLE"),
            description=column.description,
        )
        for column in current.columns
    )
    by_arrival = not table.immutable or table.partition is None
    return Relation(
        project=current.project,
        dataset=current.dataset,
        name=identifier(name),
        columns=(*columns, *LOG_COLUMNS),
        partition="appended_at" if by_arrival else current.partition,
        partition_type="TIMESTAMP" if by_arrival else current.partition_type,
        expires_after=None if table.immutable else LOG_RETENTION_DAYS,
        cluster=table.cluster if table.immutable else (table.key,),
        description=(
            f"Every {table.name} row ever observed, with duplicates; read {table.name}_latest."
            if table.immutable
            else f"Every change of {table.name} in order of arrival, kept {LOG_RETENTION_DAYS} days."
        ),
    )


def view_query(found: Relations) -> str:
    """Return the text of the read view: one row per key, whatever was duplicated, reordered or not merged yet."""
    return _observations_query(found) if found.current is None else _latest_query(found, found.current)


def _observations_query(found: Relations) -> str:
    # The partition column is part of the window, so that a filter on it reaches the table through the view.
    key = found.table.key
    window = ", ".join(dict.fromkeys([key, *([found.table.partition] if found.table.partition else [])]))
    return f"""\
SELECT {", ".join(found.read_columns)}
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY {window} ORDER BY change_sequence DESC) AS change_age
  FROM {found.log.sql}
)
WHERE change_age = 1 AND change_operation != 'deleted'"""  # noqa: S608 - identifiers are validated


def _latest_query(found: Relations, current: Relation) -> str:
    key = found.table.key
    columns = ", ".join(f"{{0}}.{name}" for name in found.read_columns)
    return f"""\
WITH recent AS (
  SELECT * FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY change_sequence DESC, appended_at DESC) AS change_age
    FROM {found.log.sql}
    WHERE appended_at >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {RECENT_DAYS} DAY)
  ) WHERE change_age = 1
)
SELECT {columns.format("merged")}
FROM {current.sql} AS merged
WHERE NOT EXISTS (
  SELECT 1 FROM recent WHERE recent.{key} = merged.{key} AND recent.change_sequence >= merged.change_sequence
)
UNION ALL
SELECT {columns.format("recent")}
FROM recent
WHERE recent.change_operation != 'deleted' AND NOT EXISTS (
  SELECT 1 FROM {current.sql} AS merged
  WHERE merged.{key} = recent.{key} AND merged.change_sequence > recent.change_sequence
)"""  # noqa: S608 - identifiers are validated


def tenant_relations(project: str, tenant_id: str) -> Mapping[str, Relations]:
    """Return the relations of every entity that has a data set per tenant, by entity name."""
    return {
        entity.name: relations(project, tenant_id, entity)
        for entity in entities().values()
        if entity.table is not None and "{tenant_id}" in entity.table.dataset
    }
