"""What a function can declare about what fires it: frozen, keyword-only, literals only.

The manifest reads these declarations from the source by AST; the decorators (``triggers.http``, ``triggers.message``,
``triggers.document``, ``triggers.schedule``, ``triggers.task``) build the same objects when the function is loaded.
Nothing here imports anything outside the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

RateTier = Literal["standard", "expensive", "ai", "none"]
Change = Literal["created", "updated", "deleted", "written"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """How often and how soon a failed delivery is tried again.

    Attributes:
        attempts: Deliveries in all before the event is set aside (Pub/Sub allows 5 to 100).
        minimum: Seconds before the first retry.
        maximum: Seconds between retries at most.
    """

    attempts: int = 5
    minimum: int = 10
    maximum: int = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """What every kind of function declares.

    Attributes:
        needs: Permission to reason. Permissions: ``firestore:read``, ``firestore:write``, ``bigquery:read``,
            ``bigquery:write``, ``bigquery:administer``, ``bigquery:erase`` (whole data sets), ``storage:read``,
            ``storage:write``, ``storage:archive`` (adding to the copies of the audit trail, and reading them),
            ``storage:sign`` (links, signed as the function's own account), ``pubsub:publish:<topic>``,
            ``tasks:enqueue:<function>``, ``redis:use``, ``kms:use`` (tenants' data keys, unwrapped by the one
            key-encryption key), ``firebase:administer`` (accounts at the identity provider). Every reason is a
            sentence.
        secrets: Environment variable to reason; each is a secret of the same name in Secret Manager.
        memory: Memory of an instance in MiB.
        timeout: Seconds until the platform ends a call.
        concurrency: Calls an instance serves at once.
        min_instances: Instances kept warm.
        max_instances: Instances at most.
    """

    needs: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    memory: int = 256
    timeout: int = 60
    concurrency: int = 16
    min_instances: int = 0
    max_instances: int = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Http(Function):
    """An HTTP operation.

    Attributes:
        method: GET, POST, PUT, PATCH or DELETE.
        path: REST route with ``{name}`` parameters, such as ``/v1/aso/content/{content_id}``.
        scope: Scope the credential must have, such as ``aso:write``; None only where ``public`` or for a ``person``.
        roles: Roles that may call it; empty means every role.
        public: Needs no credential.
        tenancy: ``tenant`` works for the credential's tenant; ``platform`` is for operators only; ``person`` is for
            anybody with an ID token of the project, in a tenant or not: it has no tenant, roles or scope, and finds by
            itself what the person may do.
        rate: Rate tier: standard 60, expensive 10, ai 30 calls a minute per tenant and key.
        status: Status of success.
        location: Route of what an answer 201 made, its parameters named after fields of the answer; it becomes the
            ``Location``. None where the operation says it itself, or nothing was made that has an address.
        if_match: Whether ``If-Match`` is ``required`` (428 without), ``optional`` or ``ignored``.
        max_body: Bytes of body at most (413 above).
        accepts: Media types of the body.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    scope: str | None = None
    roles: tuple[str, ...] = ()
    public: bool = False
    tenancy: Literal["tenant", "platform", "person"] = "tenant"
    rate: RateTier = "standard"
    status: int = 200
    location: str | None = None
    if_match: Literal["required", "optional", "ignored"] = "ignored"
    max_body: int = 1_048_576
    accepts: tuple[str, ...] = ("application/json",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message(Function):
    """A consumer of a Pub/Sub topic, with a subscription of its own.

    Attributes:
        topic: Topic id; ``*dead-letter*`` stands for the dead-letter topics of all other consumers.
        filter: Subscription filter in Pub/Sub's own syntax over attributes.
        retry: Retry policy; after ``attempts`` the message goes to the dead-letter topic ``{function}-dead-letter``.
        dead_letter: Whether there is a dead-letter topic; False only for the consumer of dead letters itself.
        ordered: Whether the subscription asks for order by ordering key. No consumer may rely on it.
    """

    topic: str
    filter: str = ""
    retry: Retry = field(default_factory=Retry)
    dead_letter: bool = True
    ordered: bool = False

    def subscription_filter(self, function: str) -> str:
        """Return the filter of the subscription: the declared one, without replays that are meant for others."""
        if not self.dead_letter:
            return self.filter
        replay = f'NOT attributes:replay_for OR attributes.replay_for = "{function}"'
        return f"({self.filter}) AND ({replay})" if self.filter else replay


@dataclass(frozen=True, kw_only=True, slots=True)
class Document(Function):
    """A reaction to a change of Firestore documents. Retried for 24 hours, at least once, in no order.

    Attributes:
        path: Document path pattern, such as ``tenants/{tenant_id}/{collection}/{document_id}``.
        change: Which changes fire it.
    """

    path: str
    change: Change = "written"


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule(Function):
    """A job of Cloud Scheduler.

    Attributes:
        cron: Unix cron expression of five fields.
        time_zone: IANA name.
        attempts: Tries of one run.
    """

    cron: str
    time_zone: str = "Etc/UTC"
    attempts: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Task(Function):
    """A handler of Cloud Tasks; its queue carries the function's name.

    Attributes:
        dispatches_per_second: Rate of the queue.
        concurrent_dispatches: Tasks in flight at most.
        while_resting: Whether it also works for tenants that rest (suspended, or to be deleted): upkeep that must not
            wait, such as seals and keys. All other tasks are put aside until the tenant works again.
        retry: Retry policy; a task that used up its attempts is dropped by Cloud Tasks, so the handler records failure
            of its work before its last attempt ends.
    """

    dispatches_per_second: int = 50
    concurrent_dispatches: int = 20
    while_resting: bool = False
    retry: Retry = field(default_factory=lambda: Retry(attempts=5, minimum=1, maximum=300))


Declaration = Http | Message | Document | Schedule | Task
KINDS: Mapping[str, type[Function]] = {
    "http": Http,
    "message": Message,
    "document": Document,
    "schedule": Schedule,
    "task": Task,
}
