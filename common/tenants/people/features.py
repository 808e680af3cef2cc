"""Feature flags: declared per tenant with a default, switched per person.

Administrators declare flags, set the defaults and switch a flag for anybody. A person switches only those that are
declared as the person's own choice. What counts for a person is the person's own value, else the tenant's default; a
value for a flag that is no longer declared counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from common.answers import Answer, Page, Record
from common.context import Context
from common.errors import Conflict, FieldError, Forbidden, Unprocessable
from common.identifiers import uuid7
from common.store import Repository, Work, transact, write_record
from common.tenants.people.entities import FEATURE_FLAGS
from common.tenants.people.models import MAX_FLAGS, FeatureFlag, FeatureFlagCreate, FeatureFlagUpdate


def create(context: Context, body: FeatureFlagCreate) -> Answer[Record[FeatureFlag]]:
    """Declare a flag.

    Raises:
        Conflict: ``feature_taken``; ``too_many_features``.
    """
    now = datetime.now(UTC)
    flag = FeatureFlag(feature_id=str(uuid7()), **body.model_dump(), created_at=now, updated_at=now)

    def work(work: Work) -> FeatureFlag:
        if len(work.select(FEATURE_FLAGS, limit=MAX_FLAGS)) >= MAX_FLAGS:
            raise Conflict("too_many_features", f"A tenant has {MAX_FLAGS} feature flags at most.")
        return work.create(FEATURE_FLAGS, flag)

    record = write_record(context, work)
    return Answer(content=record, status=201, headers={"Location": f"/v1/features/{flag.feature_id}"})


def listed(context: Context) -> Page[FeatureFlag]:
    """Return every flag of the tenant, by name."""
    flags = [record.value for record in Repository(FEATURE_FLAGS, context).select(limit=MAX_FLAGS)]
    return Page(items=sorted(flags, key=lambda flag: flag.name))


def update(context: Context, feature_id: str, body: FeatureFlagUpdate) -> Record[FeatureFlag]:
    """Change a flag's default, its description, or whose choice it is.

    Raises:
        NotFound: ``feature_flag_not_found``.
        PreconditionFailed: ``stale_etag``.
    """

    def work(work: Work) -> FeatureFlag:
        record = work.get_for_update(FEATURE_FLAGS, feature_id)
        changed = record.value.model_copy(update=body.model_dump(exclude_unset=True))
        if changed != record.value:
            changed = changed.model_copy(update={"updated_at": datetime.now(UTC)})
        return work.update(FEATURE_FLAGS, record, changed)

    return write_record(context, work)


def delete(context: Context, feature_id: str) -> None:
    """Forget a flag; what people chose for it counts for nothing from now on.

    Raises:
        NotFound: ``feature_flag_not_found``.
    """
    transact(context, lambda work: work.delete(FEATURE_FLAGS, work.get_for_update(FEATURE_FLAGS, feature_id)))


def effective(flags: Iterable[FeatureFlag], own: Mapping[str, bool]) -> dict[str, bool]:
    """Return what counts for a person: the person's own value of each declared flag, else its default."""
    return {flag.name: own.get(flag.name, flag.enabled) for flag in flags}


def require_declared(work: Work, names: Iterable[str], *, own_choice: bool) -> None:
    """Refuse to switch flags that are not declared, or not the person's own choice.

    Args:
        work: The transaction under way.
        names: Names of the flags.
        own_choice: Whether a person switches them, not an administrator.

    Raises:
        Unprocessable: ``feature_unknown``.
        Forbidden: ``feature_not_yours``.
    """
    asked = list(names)
    if not asked:
        return
    flags = {record.value.name: record.value for record in work.select(FEATURE_FLAGS, limit=MAX_FLAGS)}
    unknown = [name for name in asked if name not in flags]
    if unknown:
        message = "The tenant has declared no such feature flag."
        errors = [FieldError(pointer=f"/features/{name}", code="feature_unknown", message=message) for name in unknown]
        raise Unprocessable("feature_unknown", f"{message} ({', '.join(unknown)})", errors=errors)
    foreign = [name for name in asked if own_choice and not flags[name].self_service]
    if foreign:
        raise Forbidden("feature_not_yours", f"Only an administrator switches {', '.join(foreign)}.")
