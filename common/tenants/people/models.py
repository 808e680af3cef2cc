"""People of a tenant and their invites, as they are asked for, stored and answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from common.api_keys import TenantRole
from common.email_address import EmailAddress
from common.model import Model, Timestamp
from common.names import Name
from common.people import PersonStatus
from common.tenants.companies.models import Company
from common.time_zones import UTC_NAME, TimeZone

Setting = str | bool | int | float | None
MAX_SETTINGS = 100
MAX_FLAGS = 100

SettingName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
SettingValue = Annotated[str, StringConstraints(max_length=1000)] | bool | int | float | None
Username = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,38}[A-Za-z0-9])?$", to_lower=True),
    Field(description="Letters, digits, dots, dashes and underscores; unique in the tenant.", examples=["ann.lee"]),
]
PictureAddress = Annotated[str, StringConstraints(pattern=r"^https://[^\s<>\"\\]{1,2040}$")]
Flags = Annotated[dict[SettingName, bool], Field(max_length=MAX_FLAGS, examples=[{"new_editor": True}])]
"""Feature flags by name."""

InviteStatus = Literal["pending", "accepted", "revoked", "expired"]


def _storable(values: dict[str, Setting]) -> dict[str, Setting]:
    """Refuse numbers that Firestore would change: whole ones beyond 64 bits, and those that are none."""
    for name, value in values.items():
        if isinstance(value, float) and not abs(value) < float("inf"):
            raise PydanticCustomError("setting_not_finite", "{name} is not a finite number", {"name": name})
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise PydanticCustomError("setting_too_large", "{name} is beyond 64 bits", {"name": name})
    return values


SettingsChange = Annotated[
    dict[SettingName, SettingValue],
    Field(max_length=MAX_SETTINGS, examples=[{"theme": "dark", "weekly_digest": True}]),
    AfterValidator(_storable),
]
"""Settings by name; null takes one away."""


class User(Model):
    """A person of a tenant.

    Attributes:
        user_id: Id of the account at the identity provider.
        email: Normalised e-mail address; unique in the tenant.
        email_verified: Whether the provider has seen the person use it.
        name: Display name in any script.
        username: Short name; unique in the tenant.
        avatar_url: Address of a picture.
        role: What the person may do.
        status: ``deactivated`` refuses the person's tokens.
        company_id: Company the person works for; None for none.
        settings: What the person chose, by name.
        features: Feature flags of this person; they go before the tenant's defaults.
        timezone: IANA name of the person's time zone.
        onboarding_completed: Whether the person has been shown around.
        invite_id: Invite by which the person came.
        sessions_valid_after: Sign-ins up to this moment do not count any more; None where all do.
        created_at: Since when the person belongs to the tenant.
        updated_at: When the person was changed last.
        deactivated_at: Since when the person is deactivated; None where not.
    """

    user_id: str
    email: str
    email_verified: bool = False
    name: str | None = None
    username: str | None = None
    avatar_url: str | None = None
    role: TenantRole
    status: PersonStatus = "active"
    company_id: str | None = None
    settings: dict[str, Setting] = Field(default_factory=dict)
    features: dict[str, bool] = Field(default_factory=dict)
    timezone: str = UTC_NAME
    onboarding_completed: bool = False
    invite_id: str | None = None
    sessions_valid_after: Timestamp | None = None
    created_at: Timestamp
    updated_at: Timestamp
    deactivated_at: Timestamp | None = None

    @property
    def is_active_admin(self) -> bool:
        """Whether the person administers the tenant now."""
        return self.role == "admin" and self.status == "active"


class Invite(Model):
    """An invitation of somebody to a tenant; the token that accepts it is stored elsewhere, hashed.

    Attributes:
        invite_id: Id.
        email: Normalised e-mail address of whoever may accept it.
        pending_email: The same while it is pending, None afterwards: what makes pending invites unique.
        role: Role the person will have.
        company_id: Company the person will work for; None for none.
        name: Display name, until the person chooses another.
        status: ``pending``, or how it ended; one whose time has passed is shown as ``expired``.
        invited_by: Id of who made it.
        created_at: When it was made.
        updated_at: When it was changed last.
        expires_at: From when it is refused.
        accepted_at: When it was accepted; None where it was not.
        accepted_by: Id of the person who accepted it.
    """

    invite_id: str
    email: str
    pending_email: str | None
    role: TenantRole
    company_id: str | None = None
    name: str | None = None
    status: InviteStatus = "pending"
    invited_by: str
    created_at: Timestamp
    updated_at: Timestamp
    expires_at: Timestamp
    accepted_at: Timestamp | None = None
    accepted_by: str | None = None


class InviteCreate(Model):
    """Whom to invite.

    Attributes:
        email: E-mail address of the account that may accept.
        role: Role the person will have.
        company_id: Company of the tenant that the person will work for.
        name: Display name, until the person chooses another.
    """

    email: EmailAddress
    role: TenantRole = "user"
    company_id: str | None = Field(default=None, max_length=64)
    name: Name | None = None


class InviteView(Model):
    """What is shown of an invite; never its token.

    Attributes:
        invite_id: Id.
        email: E-mail address of whoever may accept it.
        role: Role the person will have.
        company_id: Company the person will work for; None for none.
        name: Display name, until the person chooses another.
        status: ``pending``, ``accepted``, ``revoked`` or ``expired``.
        invited_by: Id of who made it.
        created_at: When it was made.
        expires_at: From when it is refused.
        accepted_at: When it was accepted; None where it was not.
        accepted_by: Id of the person who accepted it.
    """

    invite_id: str
    email: str
    role: TenantRole
    company_id: str | None
    name: str | None
    status: InviteStatus
    invited_by: str
    created_at: Timestamp
    expires_at: Timestamp
    accepted_at: Timestamp | None
    accepted_by: str | None


class InviteCreated(InviteView):
    """A new invite with what accepts it, which is never shown again. Nothing is sent: hand it on yourself.

    Attributes:
        token: The token that accepts the invite (``POST /v1/invites/accept``); put it into your application's link.
    """

    token: str


class InviteAccept(Model):
    """The token of an invite.

    Attributes:
        token: As it was shown to who invited.
    """

    token: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(examples=["xyi_" + "x" * 43])


def without_nulls(model: Model, fields: tuple[str, ...]) -> None:
    """Refuse null for fields that cannot be cleared.

    Raises:
        PydanticCustomError: ``null_not_allowed``.
    """
    for field in fields:
        if field in model.model_fields_set and getattr(model, field) is None:
            raise PydanticCustomError("null_not_allowed", "{field} cannot be cleared", {"field": field})


class MeUpdate(Model):
    """What a person changes about themselves; what is left out stays, null clears.

    Attributes:
        name: Display name in any script.
        username: Short name, unique in the tenant.
        avatar_url: Address of a picture, https.
        timezone: IANA name; old names become the current one.
        onboarding_completed: Whether the person has been shown around.
    """

    name: Name | None = Field(default=None, examples=["李小龙"])
    username: Username | None = None
    avatar_url: PictureAddress | None = Field(default=None, examples=["https://example.com/ann.png"])
    timezone: TimeZone | None = None
    onboarding_completed: bool | None = Field(default=None, examples=[True])

    @model_validator(mode="after")
    def _kept(self) -> Self:
        without_nulls(self, ("timezone", "onboarding_completed"))
        return self


class UserUpdate(Model):
    """What an administrator changes about a person; what is left out stays, null clears.

    Attributes:
        name: Display name in any script.
        company_id: Company of the tenant that the person works for.
        features: Feature flags of this person, all of them.
    """

    name: Name | None = Field(default=None, examples=["Ann Lee"])
    company_id: str | None = Field(default=None, max_length=64)
    features: Flags | None = None

    @model_validator(mode="after")
    def _kept(self) -> Self:
        without_nulls(self, ("features",))
        return self


class UserListQuery(Model):
    """Which people to list; newest first.

    Attributes:
        company_id: Only people of this company.
        role: Only people of this role.
        status: Only people of this status.
        limit: People a page.
        cursor: ``next_cursor`` of the page before.
    """

    company_id: str | None = Field(default=None, max_length=64)
    role: TenantRole | None = None
    status: PersonStatus | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class InviteListQuery(Model):
    """Which invites to list; newest first.

    Attributes:
        status: Only invites of this status.
        limit: Invites a page.
        cursor: ``next_cursor`` of the page before.
    """

    status: InviteStatus | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class FeatureFlag(Model):
    """A feature flag of a tenant.

    Attributes:
        feature_id: Id.
        name: Name by which it is asked for; unique in the tenant, never changed.
        enabled: Default for everybody who has no value of their own.
        self_service: Whether people switch it for themselves.
        description: What it switches.
        created_at: When it was declared.
        updated_at: When it was changed last.
    """

    feature_id: str
    name: str
    enabled: bool
    self_service: bool
    description: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class FeatureFlagCreate(Model):
    """A feature flag to be declared.

    Attributes:
        name: Name by which it is asked for.
        enabled: Default for everybody who has no value of their own.
        self_service: Whether people switch it for themselves.
        description: What it switches.
    """

    name: SettingName = Field(examples=["new_editor"])
    enabled: bool = False
    self_service: bool = False
    description: Annotated[str, StringConstraints(max_length=500)] | None = None


class FeatureFlagUpdate(Model):
    """What changes about a feature flag; what is left out stays.

    Attributes:
        enabled: Default for everybody who has no value of their own.
        self_service: Whether people switch it for themselves.
        description: What it switches; null clears.
    """

    enabled: bool | None = Field(default=None, examples=[True])
    self_service: bool | None = Field(default=None, examples=[True])
    description: Annotated[str, StringConstraints(max_length=500)] | None = None

    @model_validator(mode="after")
    def _kept(self) -> Self:
        without_nulls(self, ("enabled", "self_service"))
        return self


class Me(Model):
    """The person who calls.

    Attributes:
        user_id: Id of the account at the identity provider.
        tenant_id: The tenant.
        email: Normalised e-mail address.
        email_verified: Whether the provider has seen the person use it.
        name: Display name.
        username: Short name.
        avatar_url: Address of a picture.
        role: What the person may do.
        company: The company the person works for, with its brand guidelines; None for none.
        settings: What the person chose, by name.
        features: Every feature flag of the tenant, as it counts for this person.
        timezone: IANA name of the person's time zone.
        onboarding_completed: Whether the person has been shown around.
        created_at: Since when the person belongs to the tenant.
        updated_at: When the person was changed last.
    """

    user_id: str
    tenant_id: str
    email: str
    email_verified: bool
    name: str | None
    username: str | None
    avatar_url: str | None
    role: TenantRole
    company: Company | None
    settings: dict[str, Setting]
    features: dict[str, bool]
    timezone: str
    onboarding_completed: bool
    created_at: Timestamp
    updated_at: Timestamp


class MySettings(Model):
    """Settings of the person who calls.

    Attributes:
        settings: What the person chose, by name.
        features: Every feature flag of the tenant, as it counts for this person.
        timezone: IANA name of the person's time zone.
    """

    settings: dict[str, Setting]
    features: dict[str, bool]
    timezone: str


class MySettingsUpdate(Model):
    """What changes about the caller's settings: they are merged, null takes one away.

    Attributes:
        settings: Settings by name.
        features: Feature flags by name, those that are people's own choice; null returns to the tenant's default.
    """

    settings: SettingsChange | None = None
    features: Annotated[dict[SettingName, bool | None], Field(max_length=MAX_FLAGS)] | None = Field(
        default=None, examples=[{"new_editor": True}]
    )


class RoleChange(Model):
    """The role a person is to have.

    Attributes:
        role: ``admin``, ``manager``, ``user`` or ``viewer``.
    """

    role: TenantRole = Field(examples=["manager"])


def merged(current: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with a change in them; null takes one away."""
    return {name: value for name, value in {**current, **change}.items() if value is not None}
