"""The entities of people: users and invites."""

from __future__ import annotations

from common.entity import Entity, Index, Personal, Unique
from common.people import COLLECTION
from common.tenants.people.models import FeatureFlag, Invite, User

USERS = Entity(
    name="user",
    domain="tenants",
    model=User,
    collection=COLLECTION,
    key="user_id",
    events={
        "created": "user-joined",
        "updated": "user-updated",
        "updated:status=active": "user-activated",
        "updated:status=deactivated": "user-deactivated",
        "deleted": "user-removed",
    },
    unique=(
        Unique(name="email", fields=("email",), code="email_taken"),
        Unique(name="username", fields=("username",), code="username_taken"),
    ),
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "role", "-created_at")),
        Index(fields=("tenant_id", "status", "-created_at")),
        Index(fields=("tenant_id", "company_id", "-created_at")),
        Index(fields=("tenant_id", "role", "status", "-created_at")),
        Index(fields=("tenant_id", "company_id", "role", "-created_at")),
        Index(fields=("tenant_id", "company_id", "status", "-created_at")),
        Index(fields=("tenant_id", "company_id", "role", "status", "-created_at")),
    ),
    unindexed=("settings", "features", "name", "avatar_url"),
    personal=(
        Personal(field="user_id", kind="user_id", erasure="delete"),
        Personal(field="email", kind="email", erasure="delete"),
        Personal(field="name", kind="name", erasure="delete"),
        Personal(field="username", kind="name", erasure="delete"),
        Personal(field="avatar_url", kind="picture", erasure="delete"),
        Personal(field="settings", kind="text", erasure="delete"),
    ),
    purpose="Who may work in the tenant, in which role, and how the product is set up for them.",
    private=("settings",),
    kept={
        "role": "Only an administrator gives a role, and the tenant keeps one administrator.",
        "status": "Deactivating and activating end sessions, and the tenant keeps one administrator.",
        "deactivated_at": "Belongs to the status.",
        "sessions_valid_after": "Sessions that were ended stay ended.",
        "email": "The identity provider says it.",
        "email_verified": "The identity provider says it.",
        "company_id": "The company may be archived by now.",
    },
    revertible=("name", "username", "avatar_url", "timezone"),
)

INVITES = Entity(
    name="invite",
    domain="tenants",
    model=Invite,
    collection="invites",
    key="invite_id",
    events={
        "created": "invite-created",
        "updated": "invite-updated",
        "updated:status=accepted": "invite-accepted",
        "updated:status=revoked": "invite-revoked",
    },
    unique=(Unique(name="pending_email", fields=("pending_email",), code="invite_pending"),),
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "status", "-created_at")),
        Index(fields=("tenant_id", "updated_at")),
    ),
    unindexed=("name",),
    retention="operational",
    aged_by="updated_at",
    kept={"*": "An invite is made, revoked or accepted; none of that can be taken back."},
    personal=(
        Personal(field="email", kind="email", erasure="delete"),
        Personal(field="pending_email", kind="email", erasure="delete"),
        Personal(field="name", kind="name", erasure="delete", of="email"),
        Personal(field="accepted_by", kind="user_id", erasure="delete"),
        Personal(field="invited_by", kind="user_id", erasure="pseudonymise"),
    ),
    purpose="Whom the tenant asked to join, in which role, by whom, and what came of it.",
)

FEATURE_FLAGS = Entity(
    name="feature_flag",
    domain="tenants",
    model=FeatureFlag,
    collection="feature_flags",
    key="feature_id",
    events={
        "created": "feature-flag-declared",
        "updated": "feature-flag-updated",
        "deleted": "feature-flag-deleted",
    },
    unique=(Unique(name="name", fields=("name",), code="feature_taken"),),
    unindexed=("description",),
    impersonal={"name": "Name of a feature."},
    purpose="Which parts of the product are switched on for whom.",
    readers=("admin", "manager", "user", "viewer"),
    revertible=("name", "enabled", "self_service", "description"),
    restorable=("created", "deleted"),
)
