"""What happens to an HTTP request before and after its handler, the same for every operation.

Order: request id and trace, preflight, method, path, credential, tenant, permission, rate, query, body, conditions,
idempotency, handler. A refusal is a problem document whatever step it comes from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable
from typing import Any

from common import logs
from common.context import Context, Deadline, Principal
from common.errors import BadRequest, MethodNotAllowed, Refusal
from common.uploads import Upload
from triggers import bodies, conditions, cors, problems
from triggers.binding import bind_http
from triggers.declaration import Http
from triggers.exchange import Exchange, HttpAnswer
from triggers.paths import PARAMETER, PathForms
from triggers.rendering import rendered
from triggers.report import report

ANONYMOUS = Principal(kind="anonymous", id="anonymous")
Arguments = dict[str, Any]
Admission = Callable[[Exchange], tuple[Principal, str]]
Counting = Callable[[Context], dict[str, str]]


def deadline_of(timeout: int) -> Deadline:
    """Return the moment to give up: early enough that the answer still leaves before the platform ends the call."""
    return Deadline.after(timeout - min(5.0, timeout * 0.1))


class HttpPipeline:
    """Serves one operation; everything that does not depend on the request is worked out here."""

    def __init__(self, handler: Callable[..., Any], name: str, declaration: Http) -> None:
        self._handler = handler
        self._name = name
        self._declaration = declaration
        self._binding = bind_http(handler, PARAMETER.findall(declaration.path))
        self._subjects = tuple(PARAMETER.findall(declaration.path))
        self._paths = PathForms(declaration.path, self._binding.path_types, name)
        self._methods = ("GET", "HEAD") if declaration.method == "GET" else (declaration.method,)
        self._allow = ", ".join([*self._methods, "OPTIONS"])
        self._admit = None if declaration.public else _admission(declaration)
        self._count = None if declaration.public or declaration.rate == "none" else _counting(declaration)
        self._may_write = "firestore:write" in declaration.needs or declaration.method in {"POST", "PATCH"}
        self._once = _once() if declaration.method in {"POST", "PATCH"} and not declaration.public else None

    def answer(self, exchange: Exchange) -> HttpAnswer:
        """Answer one request."""
        started = time.perf_counter()
        answer = self._answered(exchange)
        settings = exchange.clients.settings
        origin = exchange.environ.get("HTTP_ORIGIN")
        if origin is not None or settings.allowed_origins:
            answer.headers.update(cors.answer_headers(origin, settings))
        report(self._name, exchange, answer, started)
        return answer

    def _answered(self, exchange: Exchange) -> HttpAnswer:
        """Turn whatever happens into an answer."""
        try:
            return self._answer(exchange)
        except Refusal as refusal:
            if refusal.audited and exchange.context is None:
                logs.for_request(self._name, exchange.request_id, exchange.trace, exchange.clients.settings).warning(
                    f"security event: {refusal.code}",
                    audit=True,
                    code=refusal.code,
                    outcome="refused",
                    **refusal.details,
                )
            return problems.refused(refusal, exchange)
        except Exception as error:  # noqa: BLE001 - the outermost frame of ours: beyond it the caller gets HTML
            exchange.error = error
            away = problems.unavailable_from(error)
            return problems.internal(exchange) if away is None else problems.unavailable(away, exchange)

    def _answer(self, exchange: Exchange) -> HttpAnswer:
        if exchange.method not in self._methods:
            return self._other_method(exchange)
        arguments = self._paths.match(exchange.path)
        path_values = tuple(map(str, arguments.values()))
        context = self._context(exchange)
        if self._count is not None:
            exchange.answer_headers.update(self._count(context))
        content = self._read(exchange, arguments)
        environ = exchange.environ
        tag = conditions.if_match(environ.get("HTTP_IF_MATCH"), self._declaration.if_match)
        if tag is not None:
            context = exchange.context = dataclasses.replace(context, if_match=tag)

        def render(result: object) -> HttpAnswer:
            return rendered(result, self._declaration.status, exchange, self._declaration.location)

        if self._once is not None:
            key = conditions.idempotency_key(environ.get("HTTP_IDEMPOTENCY_KEY"))
            if key is not None:
                asked = (self._name, context.tenant_id, *path_values, environ.get("QUERY_STRING", ""))
                fingerprint = _fingerprint(asked, content)
                return self._once(
                    exchange, context, key, fingerprint, render, lambda context: self._call(context, arguments)
                )
        answer = render(self._call(context, arguments))
        if answer.headers.get("ETag") and exchange.method in {"GET", "HEAD"}:
            return _unless_known(answer, environ.get("HTTP_IF_NONE_MATCH"))
        return answer

    def _other_method(self, exchange: Exchange) -> HttpAnswer:
        if exchange.method == "OPTIONS":
            return HttpAnswer(204, content_type="", headers=cors.preflight_headers(self._allow))
        raise MethodNotAllowed(
            "method_not_allowed", f"this operation answers {self._declaration.method}", headers={"Allow": self._allow}
        )

    def _context(self, exchange: Exchange) -> Context:
        principal, tenant_id = ANONYMOUS, ANONYMOUS.tenant_id
        if self._admit is not None:
            principal, tenant_id = self._admit(exchange)
        context = exchange.context = Context(
            function=self._name,
            tenant_id=tenant_id,
            principal=principal,
            clients=exchange.clients,
            request_id=exchange.request_id,
            correlation_id=exchange.request_id,
            trace=exchange.trace,
            deadline=deadline_of(self._declaration.timeout),
        )
        return context

    def _read(self, exchange: Exchange, arguments: Arguments) -> bytes:
        """Add the query and the body to the arguments; return the body's bytes."""
        query = self._binding.query.read(exchange.environ.get("QUERY_STRING", ""))
        if query is not None:
            arguments["query"] = query
        if self._binding.upload:
            content = exchange.body(self._declaration.max_body)
            kind = bodies.check_media_type(exchange, self._declaration.accepts)
            arguments["upload"] = Upload(content=content, content_type=kind, filename=exchange.filename())
            return content
        if self._binding.body is None:
            return b""
        content = exchange.body(self._declaration.max_body)
        if not content and not self._binding.body_required:
            arguments["body"] = None
            return content
        if not content and "CONTENT_TYPE" not in exchange.environ:
            raise BadRequest("body_required", "this operation needs a body")
        bodies.check_media_type(exchange, self._declaration.accepts)
        arguments["body"] = bodies.read_json(content, self._binding.body)
        return content

    def _call(self, context: Context, arguments: Arguments) -> object:
        if self._binding.context is not None:
            arguments[self._binding.context] = context
        try:
            return self._handler(**arguments)
        except Refusal as refusal:
            if refusal.audited:
                subjects = {name: arguments[name] for name in self._subjects}
                _recording()(context, refusal, subjects, stored=self._may_write)
            raise


def _admission(declaration: Http) -> Admission:
    """Return what lets callers in; imported here so that public functions do without."""
    from common import auth

    scope, roles, tenancy = declaration.scope, declaration.roles, declaration.tenancy
    known = auth.identify if tenancy == "person" else auth.authenticate

    def admit(exchange: Exchange) -> tuple[Principal, str]:
        remote = exchange.environ.get("REMOTE_ADDR", "")
        principal = auth.admitted(exchange.clients, exchange.headers, remote, known)
        tenant_id = auth.resolve_tenant(principal, exchange.environ.get("HTTP_X_TENANT_ID"))
        auth.authorize(principal, scope=scope, roles=roles, tenancy=tenancy)
        return principal, tenant_id

    return admit


def _counting(declaration: Http) -> Counting:
    """Return what counts calls; imported here so that functions without a limit do without."""
    from common import limits

    tier = declaration.rate

    def count(context: Context) -> dict[str, str]:
        state = limits.consume(context, tier)
        return {} if state is None else state.headers()

    return count


def _once() -> Callable[..., HttpAnswer]:
    """Return what repeats answers; imported here so that reading functions do without."""
    from triggers.repetition import once

    return once


def _recording() -> Callable[..., None]:
    """Return what records a refusal for the audit trail; imported when the first one happens."""
    from common.security_events import record_refusal

    return record_refusal


def _fingerprint(asked: tuple[str, ...], content: bytes) -> str:
    """Return the digest of everything a request asks for; lengths keep its parts apart."""
    digest = hashlib.sha256()
    for part in (*(value.encode("utf-8", "replace") for value in asked), content):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()


def _unless_known(answer: HttpAnswer, none_match: str | None) -> HttpAnswer:
    if not conditions.none_match(none_match, answer.headers["ETag"]):
        return answer
    return HttpAnswer(304, content_type="", headers=answer.headers)
