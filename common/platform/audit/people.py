"""Who is in an entry: keyed digests of the people a document names, so that an erasure finds the entries about them.

They are the digests that holds and suppressions know people by (``common.protection.subjects``): without the tenant's
key nobody can tell from them whether an address was ever there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from common.context import PLATFORM_TENANT, Context
from common.email_address import normalised_email
from common.errors import SealBroken
from common.platform.audit.values import CROWD
from common.protection.subjects import digest_of
from common.registry import EntityRecord

ACTOR, DOCUMENT = "@actor", "@document"
"""Fields under which people are found who are the actor of an entry, or its document."""

Digest = Callable[[str, str], str]
"""Returns the digest of an identifier by its kind (``user_id`` or ``email``) and value."""


def digests_for(context: Context) -> Digest:
    """Return what makes the digests of a tenant's people.

    They are empty once the tenant's keys are destroyed, and in the platform's own trail: it has no key, and tells of
    operators and of tenants.
    """

    def digest(kind: str, value: str) -> str:
        if context.tenant_id == PLATFORM_TENANT:
            return ""
        try:
            return digest_of(context, kind, normalised(kind, value))
        except SealBroken:
            return ""

    return digest


def normalised(kind: str, value: str) -> str:
    """Return an identifier in the form in which it is compared."""
    if kind != "email":
        return value
    try:
        return normalised_email(value)
    except ValueError:
        return value.casefold()


def identified(entity: EntityRecord, versions: Iterable[Mapping[str, Any]], digest: Digest) -> dict[str, list[str]]:
    """Return the digests of the people whom a document names, by field.

    Args:
        entity: Kind of the document.
        versions: The document as it was and as it is, as far as known.
        digest: Makes the digests.
    """
    found: dict[str, list[str]] = {}
    known = list(versions)
    for personal in entity.personal:
        if not personal.identifies:
            continue
        values = {value for version in known for value in _texts(version.get(personal.field))}
        digests = sorted(filter(None, (digest(personal.kind, value) for value in values)))
        if digests:
            found[personal.field] = digests
    return found


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, list) and len(value) <= CROWD:
        yield from (item for item in value if isinstance(item, str) and item)


def kind_of_key(entity: EntityRecord) -> str | None:
    """Return the kind of identifier that a document's id is, or None where the id is no person's."""
    return next((each.kind for each in entity.personal if each.field == entity.key and each.identifies), None)
