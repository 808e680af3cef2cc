"""The deletion of a tenant, as it is asked for, planned, stored and answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.model import Model, Timestamp

DeletionStatus = Literal["scheduled", "cancelled", "running", "failed", "done"]

LONGEST_GRACE = 90
"""Days."""


class TenantDeletion(Model):
    """What is known of the deletion of a tenant, while it waits, runs, and ever after.

    Attributes:
        requested_at: When it was asked for.
        requested_by: Id of the operator who asked.
        reason: Why; None once the tenant is gone.
        grace_days: Days between the request and the erasure.
        due_at: From when the tenant may be erased; until then the deletion can be cancelled.
        status_before: Status that cancelling brings back.
        cancelled_at: When it was cancelled; None where it was not.
        cancelled_by: Id of the operator who cancelled it.
        begun_at: When the erasure began; from then on nothing brings the tenant back.
        step: What is being erased, or was erased last.
        rounds: How often the erasure went through all steps, because something was found after them.
        attempts: Runs of the erasure that failed since its last step was done.
        last_error: Why the last run failed.
        found: What there was when the erasure began, by kind.
        finished_at: When the search for residue found nothing.
    """

    requested_at: Timestamp
    requested_by: str
    reason: str | None
    grace_days: int
    due_at: Timestamp
    status_before: Literal["provisioning", "active", "suspended"]
    cancelled_at: Timestamp | None = None
    cancelled_by: str | None = None
    begun_at: Timestamp | None = None
    step: str | None = None
    rounds: int = 0
    attempts: int = 0
    last_error: str | None = None
    found: dict[str, int] = Field(default_factory=dict)
    finished_at: Timestamp | None = None


class DeletionPlan(Model):
    """What deleting a tenant would erase, counted now. Nothing has happened yet.

    Attributes:
        tenant_id: Whose plan.
        name: The tenant's name, to be compared with the one meant.
        documents: Documents by entity, and by collection where no entity declares it.
        technical: Technical documents by collection.
        tables: Rows of warehouse tables by table; views are not counted.
        files: Objects in Cloud Storage by bucket.
        cached: Keys in Redis.
        accounts: People's accounts at the identity provider that lose access.
        data_key: Whether a data key would be destroyed: what it sealed is unreadable from then on, in backups as well.
        confirm: Token to be sent with the deletion; of this plan, for an hour, while the tenant stays as it is.
        expires_at: Until when the token is taken.
    """

    tenant_id: str
    name: str
    documents: dict[str, int]
    technical: dict[str, int]
    tables: dict[str, int]
    files: dict[str, int]
    cached: int
    accounts: int
    data_key: bool
    confirm: str
    expires_at: Timestamp


class DeletionRequest(Model):
    """The order to delete a tenant.

    Attributes:
        confirm: Token of a plan that was read.
        grace_days: Days in which the tenant is refused and everything can be restored.
        reason: For the record; erased with the tenant.
    """

    confirm: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(
        examples=["eyJ0IjoiYWNtZSJ9.c2lnbmF0dXJl"]
    )
    grace_days: int = Field(default=30, ge=0, le=LONGEST_GRACE, examples=[30])
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        examples=["The contract ended in March."]
    )


class EraseTask(Model):
    """Body of a task of an erasure.

    Attributes:
        tenant_id: Who is erased.
    """

    tenant_id: str
