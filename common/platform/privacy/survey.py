"""What an erasure would do, counted without changing anything: by store, kind of record and field."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from common.errors import Conflict, Locked
from common.identifiers import digest
from common.last_admin import require_another_admin
from common.platform.privacy.erasure import ErasurePlan, FieldAction, Kept, PlannedKind
from common.platform.privacy.holds import require_none
from common.platform.privacy.stores.documents import expand
from common.platform.privacy.stores.every import STORES
from common.platform.privacy.stores.port import Found, Walk

KEPT = (
    Kept(
        kind="suppression",
        reason="A keyed digest of the address, so that nobody writes to the person again (GDPR art. 21(3)).",
    ),
    Kept(
        kind="audit_entry",
        reason="That something happened, when and to which field: without values, the person as a pseudonym "
        "(GDPR art. 17(3)(b) and (e)).",
    ),
    Kept(
        kind="privacy_request",
        reason="That the request was made and answered, by keyed digests (GDPR art. 5(2)).",
    ),
    Kept(
        kind="erased_people",
        reason="Keyed digests, so that a late event does not bring the person back.",
    ),
    Kept(
        kind="backups",
        reason="Backups of the database and its log of seven days end by themselves; "
        "after a restore, order the erasure again.",
    ),
)
"""What every erasure leaves, and why."""


@dataclass(slots=True)
class Tally:
    """Records of one kind in one store, as they are counted."""

    records: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    fields: dict[tuple[str, str], None] = field(default_factory=dict)

    def add(self, found: Found) -> None:
        """Count a record."""
        self.records += found.count
        self.actions[found.action] += found.count
        self.fields |= dict.fromkeys(found.fields)


class Fingerprint:
    """A digest of a set of records that does not depend on their order."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, *parts: str) -> None:
        """Take a record in."""
        text = "\n".join(parts).encode()
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(text).digest(), "big")) % 2**256

    def text(self) -> str:
        """Return the digest."""
        return f"{self._sum:064x}"


def survey(walk: Walk) -> ErasurePlan:
    """Return the plan for a person; lets the person be known by every identifier of theirs.

    Raises:
        Unavailable: A store does not answer.
    """
    expand(walk)
    tallies: dict[tuple[str, str], Tally] = {}
    fingerprint = Fingerprint()
    for kind, value in walk.person.identifiers():
        fingerprint.add(kind, value)
    for store in STORES:
        for found in store.find(walk):
            tallies.setdefault((store.name, found.kind), Tally()).add(found)
            if found.bound:
                fingerprint.add(found.name, found.action, *(f"{name}={how}" for name, how in sorted(found.fields)))
    kinds = [
        PlannedKind(
            store=store,
            kind=kind,
            records=tally.records,
            actions=dict(tally.actions),
            fields=[FieldAction.model_validate({"field": name, "action": how}) for name, how in tally.fields],
        )
        for (store, kind), tally in sorted(tallies.items())
    ]
    return ErasurePlan(
        identifiers={kind: len(values) for kind, values in walk.person.values.items() if values},
        kinds=kinds,
        records=sum(each.records for each in kinds),
        kept=list(KEPT),
        blocked=blocked(walk),
        confirm=digest("erasure plan", walk.context.tenant_id, fingerprint.text())[:48],
        planned_at=datetime.now(UTC),
    )


def blocked(walk: Walk) -> list[str]:
    """Return the codes of what stands against an erasure now."""
    found = []
    try:
        require_unheld(walk)
    except Locked as error:
        found.append(error.code)
    try:
        require_dispensable(walk)
    except Conflict as error:
        found.append(error.code)
    return found


def require_unheld(walk: Walk) -> None:
    """Refuse what a legal hold keeps, by any identifier of the person.

    Raises:
        Locked: ``legal_hold``.
    """
    require_none(walk.context, walk.person.digests(walk.context))


def require_dispensable(walk: Walk) -> None:
    """Refuse to erase the last administrator.

    Raises:
        Conflict: ``last_admin``.
    """
    for user_id in sorted(walk.person.values["user_id"]):
        require_another_admin(walk.context, user_id)
