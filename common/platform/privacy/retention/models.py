"""Retention as it is chosen, shown, planned and recorded."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.model import Model, Timestamp

EnforcedBy = Literal["platform", "firestore_ttl", "tenant_deletion"]
Periods = Annotated[
    dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,40}$")], int],
    Field(max_length=20, description="Days by class.", examples=[{"operational": 30}]),
]


class RetentionPolicy(Model):
    """What a tenant chose; classes it did not name keep their default.

    Attributes:
        tenant_id: Whose choice.
        periods: Days by class.
        updated_at: When it was made.
        updated_by: Who made it.
    """

    tenant_id: str
    periods: dict[str, int] = Field(default_factory=dict)
    updated_at: Timestamp | None = None
    updated_by: str | None = None


class RetentionInput(Model):
    """Periods to be kept to from now on, as a whole; what is left out takes its default.

    Attributes:
        periods: Days by class, each within the bounds of the class.
    """

    periods: Periods


class RetentionPreview(Model):
    """What to plan with.

    Attributes:
        periods: Days by class, as they might be chosen; the periods in force where it is left out.
    """

    periods: Periods | None = Field(default=None, examples=[{"operational": 90}])


class KindView(Model):
    """A kind of record in the inventory.

    Attributes:
        name: Name of the entity or of the facts.
        domain: Whose it is.
        purpose: Why it is kept.
        aged_by: What its age is counted from; None where it does not go by age.
        enforced_by: ``platform`` removes it daily, ``firestore_ttl`` removes it by itself, ``tenant_deletion`` keeps it
            until the tenant is deleted (or somebody deletes it).
        warehouse: Whether its rows in the warehouse go with it.
    """

    name: str
    domain: str
    purpose: str
    aged_by: str | None
    enforced_by: EnforcedBy
    warehouse: bool


class ClassView(Model):
    """A class of retention.

    Attributes:
        name: Name.
        reason: Why records are kept that long.
        source: Where the period comes from.
        default_days: Days unless the tenant chose otherwise; None as long as the tenant.
        shortest_days: Fewest days that may be chosen.
        longest_days: Most days that may be chosen.
        days: Days in force.
        kinds: The records of the class.
    """

    name: str
    reason: str
    source: str
    default_days: int | None
    shortest_days: int | None
    longest_days: int | None
    days: int | None
    kinds: list[KindView]


class TechnicalView(Model):
    """Technical documents that Firestore removes by itself.

    Attributes:
        collection: Path of the collection.
        ttl: Field with the time from which on they go.
    """

    collection: str
    ttl: str


class RetentionView(Model):
    """The inventory of retention: what is kept how long, why, and who sees to it.

    Attributes:
        periods: What the tenant chose.
        classes: Every class with its records.
        technical: Technical documents, which go by Firestore's own policies.
        updated_at: When the tenant chose.
        updated_by: Who chose.
    """

    periods: dict[str, int]
    classes: list[ClassView]
    technical: list[TechnicalView]
    updated_at: Timestamp | None = None
    updated_by: str | None = None


class PlannedKind(Model):
    """What enforcing would remove of a kind of record.

    Attributes:
        kind: Name of the entity or of the facts.
        retention: Its class.
        days: Days for which it is kept.
        before: Everything older goes.
        due: How many documents that is; None for facts, which only the warehouse could count.
        more: Whether there are more than were counted.
        oldest: The oldest of them; None where there is none.
        kept_by: Legal holds that keep all of the kind.
    """

    kind: str
    retention: str
    days: int
    before: Timestamp
    due: int | None
    more: bool = False
    oldest: Timestamp | None = None
    kept_by: list[uuid.UUID] = Field(default_factory=list)


class RetentionPlan(Model):
    """What enforcing would remove now; nothing is removed by asking.

    Attributes:
        planned_at: When it was counted.
        kinds: Kinds of record that go by age.
        subject_holds: Active legal holds on people: what belongs to them is left out when it comes to it.
    """

    planned_at: Timestamp
    kinds: list[PlannedKind]
    subject_holds: int


class RetentionRun(Model):
    """What one enforcement did.

    Attributes:
        run_id: Derived from the claim that it worked under.
        tenant_id: For whom.
        started_at: When its claim was taken.
        finished_at: When it ended, or was interrupted last.
        complete: Whether everything due was looked at.
        removed: Documents removed, by kind.
        kept: Documents that a legal hold kept, by kind.
        rows: Rows removed from the warehouse, by kind.
        periods: Days by class that it kept to.
    """

    run_id: uuid.UUID
    tenant_id: str
    started_at: Timestamp
    finished_at: Timestamp
    complete: bool
    removed: dict[str, int] = Field(default_factory=dict)
    kept: dict[str, int] = Field(default_factory=dict)
    rows: dict[str, int] = Field(default_factory=dict)
    periods: dict[str, int] = Field(default_factory=dict)


class RunListQuery(Model):
    """Which runs to list; the latest first.

    Attributes:
        limit: Runs a page.
        cursor: ``next_cursor`` of the page before.
    """

    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class RetentionTask(Model):
    """The task: enforce retention for one tenant.

    Attributes:
        working_since: Names the claim on the mark.
        part: How many tasks worked under the claim before.
    """

    working_since: Timestamp
    part: int = 0
