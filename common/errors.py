"""Every error this project raises on purpose, as one tree.

::

    XynergyError
    ├── Refusal                     the caller's mistake: an HTTP answer 4xx with a stable code
    │   ├── BadRequest              400
    │   ├── Unauthenticated         401
    │   ├── Forbidden               403
    │   ├── NotFound                404
    │   ├── MethodNotAllowed        405
    │   ├── Conflict                409
    │   ├── Gone                    410
    │   ├── PreconditionFailed      412
    │   ├── PayloadTooLarge         413
    │   ├── UnsupportedMediaType    415
    │   ├── Unprocessable           422
    │   ├── Locked                  423
    │   ├── PreconditionRequired    428
    │   └── TooManyRequests         429
    ├── Unavailable                 503: a dependency is down; trying again later may help
    ├── SealBroken                  a ciphertext that cannot be opened, or a tenant whose key is destroyed
    ├── PoisonEvent                 an event that can never be processed: quarantined, never retried
    ├── ConfigurationError          the deployment is wrong; the process refuses to start
    └── DeclarationError            a trigger or entity declaration is wrong; names file and line
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldError:
    """One thing wrong with one part of a request.

    Attributes:
        pointer: RFC 6901 JSON pointer into the body (``/rows/3/keyword``), or ``query:name``, ``path:name``,
            ``header:name`` for the other parts.
        code: Stable, snake_case, machine readable.
        message: One sentence for a person.
    """

    pointer: str
    code: str
    message: str


class XynergyError(Exception):
    """Root of the tree."""


class Refusal(XynergyError):
    """A request that is answered with a 4xx problem document (RFC 9457).

    Attributes:
        status: HTTP status.
        code: Stable snake_case code of the problem; part of the public interface.
        errors: What is wrong where, if it can be told per field.
        headers: Extra response headers (``Retry-After``, ``Allow``, ...).
        details: Extra members of the problem document; JSON values.
        audited: The refusal is something the tenant's audit trail should tell of: an attempt, not a slip. The id of a
            tenant where the request itself belongs to none.
    """

    status: ClassVar[int] = 400
    title: ClassVar[str] = "Bad request"

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, object] | None = None,
        audited: bool | str = False,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.details = dict(details or {})
        self.audited = audited


class BadRequest(Refusal):
    """400: the request cannot be read."""


class Unauthenticated(Refusal):
    """401: no credential, or one that is not valid (any more)."""

    status = 401
    title = "Unauthenticated"


class Forbidden(Refusal):
    """403: a valid credential that may not do this."""

    status = 403
    title = "Forbidden"


class NotFound(Refusal):
    """404: no such thing, or none that this tenant may know of."""

    status = 404
    title = "Not found"


class MethodNotAllowed(Refusal):
    """405: the operation answers another method."""

    status = 405
    title = "Method not allowed"


class Conflict(Refusal):
    """409: the state of the thing does not allow it."""

    status = 409
    title = "Conflict"


class Gone(Refusal):
    """410: it was there and its time is over."""

    status = 410
    title = "Gone"


class PreconditionFailed(Refusal):
    """412: ``If-Match`` names another version than the current one."""

    status = 412
    title = "Precondition failed"


class PayloadTooLarge(Refusal):
    """413: the body is larger than the operation takes."""

    status = 413
    title = "Payload too large"


class UnsupportedMediaType(Refusal):
    """415: the body is of a type the operation does not take."""

    status = 415
    title = "Unsupported media type"


class Unprocessable(Refusal):
    """422: the request can be read and breaks a rule."""

    status = 422
    title = "Unprocessable content"


class Locked(Refusal):
    """423: something that is stronger than the caller keeps it as it is, such as a legal hold."""

    status = 423
    title = "Locked"


class PreconditionRequired(Refusal):
    """428: this operation asks for ``If-Match``."""

    status = 428
    title = "Precondition required"


class TooManyRequests(Refusal):
    """429: a rate limit or quota is used up."""

    status = 429
    title = "Too many requests"


class Unavailable(XynergyError):
    """A dependency does not answer; transient.

    Attributes:
        dependency: ``firestore``, ``bigquery``, ``redis``, ``pubsub``, ``tasks``, ``storage`` or a provider's name.
        retry_after: Seconds after which trying again makes sense.
    """

    def __init__(self, dependency: str, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.dependency = dependency
        self.detail = detail
        self.retry_after = retry_after


class SealBroken(XynergyError):
    """A ciphertext cannot be opened, or nothing can be sealed: trying again does not help.

    Attributes:
        code: ``seal_malformed`` (not in our format, or cut short), ``seal_key_unknown`` (its key was never this
            tenant's), ``seal_not_authentic`` (changed, or moved to another tenant, record or field),
            ``wrapped_key_not_authentic`` (the data key cannot be unwrapped) or ``key_destroyed``.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class PoisonEvent(XynergyError):
    """An event whose content can never be processed, however often it is delivered.

    Attributes:
        code: Stable snake_case reason.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class ConfigurationError(XynergyError):
    """The environment of the process contradicts itself or lacks something."""


class DeclarationError(XynergyError):
    """A declaration that cannot be wired.

    Attributes:
        file: Path of the source file, relative to the repository.
        line: 1-based line of the declaration.
    """

    def __init__(self, file: str, line: int, detail: str) -> None:
        super().__init__(f"{file}:{line}: {detail}")
        self.file = file
        self.line = line
        self.detail = detail
