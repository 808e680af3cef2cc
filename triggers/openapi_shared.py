"""The parts of the OpenAPI document that do not depend on the operation: headers, problems, credentials."""

from __future__ import annotations

from typing import Any

from common import errors

PROBLEM_TYPE = "application/problem+json"
Part = dict[str, Any]

SECURITY_SCHEMES: Part = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`xyn_...`) or a Firebase ID token.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key (`xyn_...`)."},
}

REQUEST_HEADERS: Part = {
    "RequestId": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "Your id of this request: echoed, logged, and carried through everything that follows from it.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "TenantId": {
        "name": "X-Tenant-ID",
        "in": "header",
        "description": "Must equal the tenant of the credential, if it is sent at all.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_]{1,62}$"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A key of your choice, such as a UUID. The same request with the same key has its effect once "
        "and gets the same answer (draft-ietf-httpapi-idempotency-key-header).",
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    },
    "IfMatchRequired": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The `ETag` of the version that you have read, or `*`.",
        "schema": {"type": "string"},
        "example": '"1767225600000000"',
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` of the version that you have read: the operation then refuses any other version.",
        "schema": {"type": "string"},
        "example": '"1767225600000000"',
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of a version that you have: answered by 304 if it is still the current one.",
        "schema": {"type": "string"},
    },
    "ContentDisposition": {
        "name": "Content-Disposition",
        "in": "header",
        "description": "The name of the file.",
        "schema": {"type": "string"},
        "example": 'attachment; filename="keywords.csv"',
    },
}

ANSWER_HEADERS: Part = {
    "X-Request-ID": {"description": "Id of this request.", "schema": {"type": "string"}},
    "ETag": {"description": "Version of the document, for `If-Match`.", "schema": {"type": "string"}},
    "Link": {"description": 'Address of the next page, `rel="next"` (RFC 8288).', "schema": {"type": "string"}},
    "X-Cache": {
        "description": "`HIT`: from the cache; `MISS`: computed and kept; `BYPASS`: computed, the cache is down.",
        "schema": {"enum": ["HIT", "MISS", "BYPASS"]},
    },
    "Age": {"description": "Seconds since the answer was computed.", "schema": {"type": "integer", "minimum": 0}},
    "RateLimit": {
        "description": "What is left in this window (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
        "example": '"standard";r=59;t=60',
    },
    "RateLimit-Policy": {
        "description": "The limit that applies.",
        "schema": {"type": "string"},
        "example": '"standard";q=60;w=60',
    },
    "Retry-After": {"description": "Seconds after which trying again makes sense.", "schema": {"type": "integer"}},
    "Location": {"description": "Address of what was made.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` where this is the stored answer to an earlier request with the same key.",
        "schema": {"type": "string"},
    },
    "Content-Disposition": {"description": "Name of the file.", "schema": {"type": "string"}},
}

PROBLEM_SCHEMA: Part = {
    "type": "object",
    "description": "A problem (RFC 9457). Programs decide by `code`, which never changes its meaning.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "Address of what the code means, relative to this interface."},
        "title": {"type": "string", "description": "Name of the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong this time, for a person."},
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
        "request_id": {"type": "string", "description": "Under this id the logs have the details."},
        "instance": {"type": "string", "description": "Path of the request."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldProblem"}},
    },
    "examples": [
        {
            "type": "/problems/validation_failed",
            "title": "Unprocessable content",
            "status": 422,
            "detail": "the request breaks a rule",
            "code": "validation_failed",
            "request_id": "0197a3c2-5b7e-7d21-9c4e-3f8a1b2c4d5e",
            "errors": [{"pointer": "/title", "code": "required", "message": "Field required"}],
        }
    ],
}
FIELD_PROBLEM_SCHEMA: Part = {
    "type": "object",
    "description": "One thing wrong with one part of the request.",
    "required": ["pointer", "code", "message"],
    "properties": {
        "pointer": {
            "type": "string",
            "description": "JSON pointer into the body (`/rows/3/keyword`), `query:name`, `path:name`, `header:name`.",
        },
        "code": {"type": "string"},
        "message": {"type": "string"},
    },
}

MEANINGS = {
    400: "The request cannot be read: malformed JSON (with line and column), header or query.",
    401: "No credential, or one that is not valid (any more).",
    403: "The credential may not do this: another tenant, a missing scope or role.",
    404: "There is no such thing, or none that this tenant may know of.",
    409: "The state of the thing does not allow it, or a request with the same Idempotency-Key is in progress.",
    410: "It was there and its time is over.",
    412: "`If-Match` names another version than the current one.",
    413: "The body is larger than the operation takes.",
    415: "The body is of a type the operation does not take.",
    422: "The request can be read and breaks a rule; `errors` says which field.",
    423: "A legal hold keeps it; `reason` quotes why, in writing.",
    428: "This operation asks for `If-Match`.",
    429: "The rate limit is used up.",
    500: "Our fault. The request id leads to the details.",
    503: "Something that the operation needs is down; trying again later may help.",
}


def _names() -> dict[int, str]:
    refusals = {kind.status: kind.__name__ for kind in errors.Refusal.__subclasses__()}
    return {**refusals, 500: "InternalError", 503: "Unavailable"}


PROBLEM_NAMES = _names()


def problem_responses() -> Part:
    """Return the shared responses, by name."""
    responses: Part = {}
    for status, meaning in MEANINGS.items():
        headers = ["X-Request-ID", *(["Retry-After"] if status in {409, 429, 503} else [])]
        headers += ["RateLimit", "RateLimit-Policy"] if status == 429 else []
        responses[PROBLEM_NAMES[status]] = {
            "description": meaning,
            "headers": {name: answer_header(name) for name in headers},
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return responses


def answer_header(name: str) -> Part:
    """Return the reference to a shared response header."""
    return {"$ref": f"#/components/headers/{name}"}


def request_header(name: str) -> Part:
    """Return the reference to a shared header parameter."""
    return {"$ref": f"#/components/parameters/{name}"}
