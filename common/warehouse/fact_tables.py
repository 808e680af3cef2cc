"""Tables of facts: what is measured too often for a document each, and written to the warehouse in batches.

Facts have two tables and a view in each tenant's data set:

* ``<name>``: every row ever appended, partitioned by the declared column, with the batch it came in;
* ``<name>_batches``: what became of batches: a few rows about thousands of facts each;
* ``<name>_latest``: the view to read: of each key the row with the greatest sequence, among rows that count.

A row counts unless its batch was *retracted*. A row of a **slice** (such as one day of a site) counts only while its
batch is the slice's newest one that was *published* and not retracted: a slice changes as a whole, in one moment, and
what the newer batch no longer says is gone with the older one. Nothing here imports a client library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from common.errors import ConfigurationError
from common.registry import FactsRecord, facts
from common.warehouse.tables import (
    PROJECT_ID,
    SEQUENCE,
    Column,
    Relation,
    dataset_id,
    declared_columns,
    identifier,
)

BATCH = Column(name="batch_id", type="STRING", mode="REQUIRED", description="What the row was appended with.")
SLICE = Column(name="slice", type="STRING", description="Rows that only count together; null where each does.")
APPENDED_AT = Column(name="appended_at", type="TIMESTAMP", mode="REQUIRED", description="When the row arrived.")
PUBLISHED = "published"
RETRACTED = "retracted"
BATCH_COLUMNS = (
    BATCH,
    SLICE,
    Column(name="state", type="STRING", mode="REQUIRED", description="published (a slice) or retracted (a batch)."),
    SEQUENCE,
    APPENDED_AT,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FactRelations:
    """The relations of one kind of facts for one tenant.

    Attributes:
        facts: The declaration.
        rows: Where facts are appended.
        batches: Where it is noted what became of batches.
        view_name: Name of the read view.
    """

    facts: FactsRecord
    rows: Relation
    batches: Relation
    view_name: str

    @property
    def view(self) -> str:
        """The read view as SQL text."""
        return f"`{self.rows.project}.{self.rows.dataset}.{self.view_name}`"


def fact_relations(project: str, tenant_id: str, declared: FactsRecord) -> FactRelations:
    """Return the relations of some facts for a tenant.

    Raises:
        ConfigurationError: A name is not an identifier, or the table is not partitioned.
    """
    table = declared.table
    if PROJECT_ID.fullmatch(project) is None:
        raise ConfigurationError(f"{project!r} is no project id")
    if table.partition is None:
        raise ConfigurationError(f"{declared.name}: tables of facts are partitioned")
    dataset, name = dataset_id(table, tenant_id), identifier(table.name)
    columns = (*declared_columns(table), BATCH, SLICE, APPENDED_AT)
    rows = Relation(
        project=project,
        dataset=dataset,
        name=name,
        columns=columns,
        partition=table.partition,
        partition_type=next(column.type for column in columns if column.name == table.partition),
        expires_after=None,
        cluster=table.cluster,
        description=f"Every {declared.name} ever appended; read {name}_latest for what counts.",
    )
    batches = Relation(
        project=project,
        dataset=dataset,
        name=identifier(f"{name}_batches"),
        columns=BATCH_COLUMNS,
        partition=None,
        partition_type="",
        expires_after=None,
        cluster=(BATCH.name,),
        description=f"Which slices of {name} were published, and which batches retracted.",
    )
    return FactRelations(facts=declared, rows=rows, batches=batches, view_name=f"{name}_latest")


def tenant_facts(project: str, tenant_id: str) -> Mapping[str, FactRelations]:
    """Return the relations of all facts of a tenant, by name."""
    return {each.name: fact_relations(project, tenant_id, each) for each in facts().values()}


def fact_view_columns(found: FactRelations) -> tuple[str, ...]:
    """Return the columns of the read view, in order."""
    return (*(column.name for column in declared_columns(found.facts.table)), BATCH.name)


def fact_view_query(found: FactRelations) -> str:
    """Return the text of the read view.

    The partition column is part of the window, so that a filter on it reaches the table through the view.
    """
    table = found.facts.table
    window = ", ".join(dict.fromkeys([table.key, str(table.partition)]))
    own = ", ".join(f"facts.{column.name}" for column in found.rows.columns)
    return f"""\
WITH retracted AS (
  SELECT DISTINCT batch_id FROM {found.batches.sql} WHERE state = '{RETRACTED}'
),
standing AS (
  SELECT slice, batch_id FROM (
    SELECT
      published.slice,
      published.batch_id,
      ROW_NUMBER() OVER (
        PARTITION BY published.slice ORDER BY published.change_sequence DESC, published.batch_id DESC
      ) AS batch_age
    FROM {found.batches.sql} AS published
    LEFT JOIN retracted ON retracted.batch_id = published.batch_id
    WHERE published.state = '{PUBLISHED}' AND retracted.batch_id IS NULL
  )
  WHERE batch_age = 1
)
SELECT {", ".join(fact_view_columns(found))}
FROM (
  SELECT
    {own},
    ROW_NUMBER() OVER (
      PARTITION BY {window} ORDER BY change_sequence DESC, facts.batch_id DESC, appended_at DESC
    ) AS fact_age
  FROM {found.rows.sql} AS facts
  LEFT JOIN retracted ON retracted.batch_id = facts.batch_id
  LEFT JOIN standing ON standing.slice = facts.slice AND standing.batch_id = facts.batch_id
  WHERE retracted.batch_id IS NULL AND (facts.slice IS NULL OR standing.batch_id IS NOT NULL)
)
WHERE fact_age = 1"""  # noqa: S608 - identifiers are validated
