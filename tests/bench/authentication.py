"""What authentication and tenancy cost a request, warm: one trivial operation with and without them.

Both go through the pipeline that serves every function. The peers of ID tokens verify the same token with the same
certificate and nothing else: PyJWT, and google-auth's ``jwt``; ours also checks times, issue, tenant and person.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jwt
from cryptography import x509
from firebase_admin import auth as firebase_auth
from google.auth import jwt as google_jwt

from common.clients.firebase import firebase_app
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.model import Model
from common.tokens import unsigned_token
from tests.bench.report import Measurement
from tests.bench.stack import UNLIMITED, emulators
from tests.common.google import Google
from tests.common.security import store_key, store_person, store_tenant
from triggers.declaration import Http
from triggers.exchange import Exchange
from triggers.http_pipeline import HttpPipeline

CALLS, ROUNDS = 400, 9


class Trivial(Model):
    """The answer of an operation that does nothing."""

    done: bool = True


def trivial() -> Trivial:
    """Do nothing."""
    return Trivial()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One way to call the operation.

    Attributes:
        name: For people.
        clients: Clients of the process that serves it.
        operation: What serves it.
        headers: What the caller sends.
    """

    name: str
    clients: Clients
    operation: HttpPipeline
    headers: Mapping[str, str]

    def call(self) -> None:
        """Send one request and take the answer."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()},
        }
        exchange = Exchange(environ, self.clients)
        answer = self.operation.answer(exchange)
        answer.wire_headers(exchange)
        if answer.status != 200:
            raise RuntimeError(f"{self.name}: {answer.status} {answer.body!r}")


def _operation(**declared: Any) -> HttpPipeline:
    return HttpPipeline(trivial, "bench-trivial", Http(method="GET", path="/v1/trivial", **declared))


def _claims(project: str) -> dict[str, Any]:
    now = int(time.time())
    times = {"auth_time": now - 60, "iat": now - 60, "exp": now + 3600}
    issue = {"iss": f"https://securetoken.google.com/{project}", "aud": project, "sub": "person-1"}
    return {**issue, **times, "tenant_id": "acme", "role": "admin"}


def _cases(local: Clients, cloud: Clients, google: Google) -> list[Case]:
    project = local.settings.project
    key = {"Authorization": f"Bearer {store_key(local, role='admin', scopes=('*',))}"}
    unsigned = {"Authorization": f"Bearer {unsigned_token(_claims(project))}"}
    signed = {"Authorization": f"Bearer {google.sign(_claims(project))}"}
    known = _operation(scope="aso:read", rate="none")
    return [
        Case(name="nobody asked", clients=local, operation=_operation(public=True), headers={}),
        Case(name="an API key", clients=local, operation=known, headers=key),
        Case(name="an API key and the rate limit", clients=local, operation=_operation(scope="aso:read"), headers=key),
        Case(name="an unsigned ID token", clients=local, operation=known, headers=unsigned),
        Case(name="a signed ID token", clients=cloud, operation=known, headers=signed),
    ]


def _peers(project: str, google: Google) -> dict[str, Callable[[], object]]:
    token, certificate = google.sign(_claims(project)), google.certificate("people")
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    issuer = f"https://securetoken.google.com/{project}"
    return {
        "PyJWT alone": lambda: jwt.decode(token, public, algorithms=["RS256"], audience=project, issuer=issuer),  # type: ignore[arg-type]
        "google-auth alone": lambda: google_jwt.decode(token, certs={"k1": certificate}, audience=project),
    }


def _microseconds(work: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the microseconds of processor time a call takes, taken in turns, so that noise meets all of them."""
    rounds: dict[str, list[float]] = {name: [] for name in work}
    for call in work.values():
        for _ in range(20):
            call()
    for _ in range(ROUNDS):
        for name, call in work.items():
            started = time.thread_time()
            for _ in range(CALLS):
                call()
            rounds[name].append((time.thread_time() - started) / CALLS * 1e6)
    return {name: statistics.median(times) for name, times in rounds.items()}


@contextlib.contextmanager
def _in_the_cloud(local: Clients, google: Google) -> Iterator[Clients]:
    """Yield clients that verify signatures, with certificates made here and the emulators' data."""
    named = {name: os.environ.pop(name) for name, _ in local.settings.emulators if name in os.environ}
    clients = Clients(dataclasses.replace(local.settings, environment="cloud"))
    clients.replace(firestore_client, local.get(firestore_client))
    firebase_auth._get_client(clients.get(firebase_app))._token_verifier.request = google
    try:
        yield clients
    finally:
        os.environ.update(named)


def run() -> list[Measurement]:
    """Measure every way to call, and the peers, in one run."""
    google = Google()
    with emulators() as running:
        settings = running.settings("bench-auth", {"XYNERGY_RATE_LIMITS": UNLIMITED})
        local = Clients(settings)
        store_tenant(local, "acme")
        store_person(local, "acme", "person-1", role="admin")
        with _in_the_cloud(local, google) as cloud, open(os.devnull, "w") as nowhere:  # noqa: PTH123
            work = {case.name: case.call for case in _cases(local, cloud, google)}
            with contextlib.redirect_stdout(nowhere):
                found = _microseconds({**work, **_peers(settings.project, google)})
    return list(_report(found))


def _report(found: Mapping[str, float]) -> Iterator[Measurement]:
    public = found["nobody asked"]
    for name in ("an API key", "an API key and the rate limit", "an unsigned ID token", "a signed ID token"):
        yield Measurement(
            name=f"a trivial operation with {name}",
            ours=f"{found[name]:.0f} µs, {found[name] - public:.0f} µs of them for it",
            peer=f"without: {public:.0f} µs",
            ratio=found[name] / public,
        )
    for peer in ("PyJWT alone", "google-auth alone"):
        ours = found["a signed ID token"] - public
        yield Measurement(
            name="a signed ID token, tenant and person",
            ours=f"{ours:.0f} µs",
            peer=f"{peer}: {found[peer]:.0f} µs",
            ratio=ours / found[peer],
        )
