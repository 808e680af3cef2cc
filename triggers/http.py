"""HTTP operations: ``@http.get("/v1/aso/content/{content_id}", scope="aso:read")`` and its like.

All arguments are literals; they are read from the source as well. See ``triggers.declaration.Http``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from triggers.declaration import Http, RateTier
from triggers.http_pipeline import HttpPipeline
from triggers.served import Served, function_name, serve

Handler = TypeVar("Handler", bound=Callable[..., Any])


class HttpOptions(TypedDict, total=False):
    """The fields of ``triggers.declaration.Http`` besides method and path."""

    scope: str | None
    roles: tuple[str, ...]
    public: bool
    tenancy: Literal["tenant", "platform", "person"]
    rate: RateTier
    status: int
    location: str | None
    if_match: Literal["required", "optional", "ignored"]
    max_body: int
    accepts: tuple[str, ...]
    needs: dict[str, str]
    secrets: dict[str, str]
    memory: int
    timeout: int
    concurrency: int
    min_instances: int
    max_instances: int


def get(path: str, **options: Unpack[HttpOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a read; ``HEAD`` is answered as well."""
    return _operation(Http(method="GET", path=path, **options))


def post(path: str, **options: Unpack[HttpOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a creation or a command; takes an ``Idempotency-Key``."""
    return _operation(Http(method="POST", path=path, **options))


def put(path: str, **options: Unpack[HttpOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a replacement."""
    return _operation(Http(method="PUT", path=path, **options))


def patch(path: str, **options: Unpack[HttpOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a partial change; takes an ``Idempotency-Key``."""
    return _operation(Http(method="PATCH", path=path, **options))


def delete(path: str, **options: Unpack[HttpOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a deletion."""
    return _operation(Http(method="DELETE", path=path, **options))


def _operation(declaration: Http) -> Callable[[Handler], Served[Handler]]:
    def decorate(handler: Handler) -> Served[Handler]:
        name = function_name(handler)
        return serve(handler, name, declaration, HttpPipeline(handler, name, declaration))

    return decorate
