"""Who asks, for which tenant, until when: handed from the trigger to everything an operation calls."""

from __future__ import annotations

import dataclasses
import os
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from common.clients.registry import Clients
from common.errors import Unavailable

if TYPE_CHECKING:
    from common.idempotency import Claim

PLATFORM_TENANT = "_platform"
"""Tenant of work that belongs to no tenant. It cannot collide: tenant ids never start with an underscore."""

TENANT_ID = re.compile(r"[a-z0-9][a-z0-9_]{1,62}")
"""Tenant ids are part of BigQuery data set names, which know letters, digits and underscores only."""

Role = Literal["admin", "manager", "user", "viewer", "operator", "service"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What the identity provider vouches for in a verified ID token.

    Attributes:
        email: E-mail address as the provider writes it; None for an account without one.
        email_verified: Whether the provider has seen the person use it.
        name: Display name, if the account has one.
        picture: Address of a picture, if the account has one.
        signed_in_at: When the person signed in, in seconds since the epoch.
    """

    email: str | None
    email_verified: bool
    name: str | None
    picture: str | None
    signed_in_at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who acts.

    Attributes:
        kind: ``key`` (API key), ``user`` (Firebase ID token), ``operator`` (platform operator key), ``service``
            (our own delivery identity), ``anonymous`` (public operations).
        id: Key id, user id or service account e-mail; never a secret.
        tenant_id: The tenant of the credential; ``PLATFORM_TENANT`` for operators, services and anonymous callers.
        role: Role that roles-restricted operations ask for; None for anonymous callers.
        scopes: What the credential may do, such as ``aso:read``; ``aso:write`` implies ``aso:read``.
        profile: What the provider says about a person; None for everybody else. Never printed: it is personal.
    """

    kind: Literal["key", "user", "operator", "service", "anonymous"]
    id: str
    tenant_id: str = PLATFORM_TENANT
    role: Role | None = None
    scopes: frozenset[str] = frozenset()
    profile: Profile | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """A W3C trace context (https://www.w3.org/TR/trace-context/).

    Attributes:
        trace_id: 32 lower-case hexadecimal digits.
        span_id: 16 lower-case hexadecimal digits; ours, a child of the caller's.
        sampled: The sampled flag, carried through unchanged.
    """

    trace_id: str
    span_id: str
    sampled: bool = False

    @classmethod
    def continued(cls, traceparent: str | None) -> Trace:
        """Continue the caller's trace with a new span, or begin a trace where there is none (or a broken one)."""
        fresh = os.urandom(24).hex()
        span_id = fresh[:16]
        match = re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", traceparent or "")
        if match is None or set(match[1]) == {"0"} or set(match[2]) == {"0"}:
            return cls(trace_id=fresh[16:], span_id=span_id)
        return cls(trace_id=match[1], span_id=span_id, sampled=bool(int(match[3], 16) & 1))

    @property
    def traceparent(self) -> str:
        """The header that hands this span on."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment at which nobody waits for the answer any more.

    Attributes:
        at: ``time.monotonic()`` seconds.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at - time.monotonic())

    def timeout(self, at_most: float, dependency: str) -> float:
        """Return the timeout in seconds for one outside call.

        Raises:
            Unavailable: Nothing is left.
        """
        left = self.remaining
        if left <= 0:
            raise Unavailable(dependency, "the deadline of the request has passed", retry_after=1)
        return min(left, at_most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """Everything an operation may know about its circumstances.

    Attributes:
        function: Name of the function, such as ``aso-content-create``.
        tenant_id: The tenant the work is done for, or ``PLATFORM_TENANT``.
        principal: Who acts.
        clients: Clients of outside services.
        request_id: Id of this request or delivery.
        correlation_id: Id of the request that everything began with; equal to ``request_id`` at the start of a chain.
        causation_id: Id of the event that caused this work, if an event did.
        trace: W3C trace.
        deadline: When to give up.
        claim: The idempotency claim of the request, if the caller sent an ``Idempotency-Key``.
        if_match: Value of ``If-Match`` (one entity tag, or ``*``), if the caller sent it.
    """

    function: str
    tenant_id: str
    principal: Principal
    clients: Clients
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    correlation_id: str = ""
    causation_id: str | None = None
    trace: Trace = field(default_factory=lambda: Trace.continued(None))
    deadline: Deadline = field(default_factory=lambda: Deadline.after(60))
    claim: Claim | None = None
    if_match: str | None = None

    def for_tenant(self, tenant_id: str) -> Context:
        """Return the same circumstances for another tenant; only platform work may change tenants."""
        if self.tenant_id not in {PLATFORM_TENANT, tenant_id}:
            raise ValueError(f"work of tenant {self.tenant_id!r} may not become work of {tenant_id!r}")
        return dataclasses.replace(self, tenant_id=tenant_id)
