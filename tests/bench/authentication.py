"""What authentication and tenancy cost a request: one trivial operation with and without them.

Both go through the pipeline that serves every function, in a warm process. Tokens come twice: one that the process has
verified before, as all requests of a session but the first, and one it never saw, whose signature is verified. The
peers verify a token they never saw with the same certificate and do nothing else: PyJWT, google-auth's ``jwt``, and
firebase-admin; ours also looks for the tenant and the person.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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

WARM_UP, CALLS, ROUNDS = 20, 300, 9


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
        headers: Return what the caller sends next.
    """

    name: str
    clients: Clients
    operation: HttpPipeline
    headers: Callable[[], Mapping[str, str]] = dict

    def call(self) -> None:
        """Send one request and take the answer."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers().items()},
        }
        exchange = Exchange(environ, self.clients)
        answer = self.operation.answer(exchange)
        answer.wire_headers(exchange)
        if answer.status != 200:
            raise RuntimeError(f"{self.name}: {answer.status} {answer.body!r}")


def _operation(**declared: Any) -> HttpPipeline:
    return HttpPipeline(trivial, "bench-trivial", Http(method="GET", path="/v1/trivial", **declared))


def _claims(project: str, number: int = 0) -> dict[str, Any]:
    now = int(time.time())
    times = {"auth_time": now - 60, "iat": now - 60, "exp": now + 3600}
    issue = {"iss": f"https://securetoken.google.com/{project}", "aud": project, "sub": "person-1"}
    return {**issue, **times, "tenant_id": "acme", "role": "admin", "number": number}


def _bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _cases(local: Clients, cloud: Clients, google: Google, new: Sequence[str]) -> list[Case]:
    project = local.settings.project
    key = _bearer(store_key(local, role="admin", scopes=("*",)))
    unsigned = _bearer(unsigned_token(_claims(project)))
    signed = _bearer(google.sign(_claims(project)))
    known = _operation(scope="aso:read", rate="none")
    limited = _operation(scope="aso:read")
    tokens = iter(new)
    return [
        Case(name="nobody asked", clients=local, operation=_operation(public=True)),
        Case(name="an API key", clients=local, operation=known, headers=lambda: key),
        Case(name="an API key and the rate limit", clients=local, operation=limited, headers=lambda: key),
        Case(name="an unsigned ID token", clients=local, operation=known, headers=lambda: unsigned),
        Case(name="an ID token known to the process", clients=cloud, operation=known, headers=lambda: signed),
        Case(name="a new ID token", clients=cloud, operation=known, headers=lambda: _bearer(next(tokens))),
    ]


def _peers(project: str, google: Google, cloud: Clients, new: Sequence[str]) -> dict[str, Callable[[], object]]:
    certificate = google.certificate("people")
    public: Any = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    told: dict[str, Any] = {"audience": project, "issuer": f"https://securetoken.google.com/{project}"}
    app = cloud.get(firebase_app)
    streams = [iter(new) for _ in range(3)]
    return {
        "PyJWT": lambda: jwt.decode(next(streams[0]), public, algorithms=["RS256"], **told),
        "google-auth": lambda: google_jwt.decode(next(streams[1]), certs={"k1": certificate}, audience=project),
        "firebase-admin": lambda: firebase_auth.verify_id_token(next(streams[2]), app=app),
    }


def _microseconds(work: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the microseconds of processor time a call takes, taken in turns, so that noise meets all of them."""
    rounds: dict[str, list[float]] = {name: [] for name in work}
    for call in work.values():
        for _ in range(WARM_UP):
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
            new = [google.sign(_claims(settings.project, number)) for number in range(WARM_UP + CALLS * ROUNDS)]
            work = {case.name: case.call for case in _cases(local, cloud, google, new)}
            with contextlib.redirect_stdout(nowhere):
                found = _microseconds({**work, **_peers(settings.project, google, cloud, new)})
    return list(_report(found))


def _report(found: Mapping[str, float]) -> Iterator[Measurement]:
    public = found["nobody asked"]
    for name in (
        "an API key",
        "an API key and the rate limit",
        "an unsigned ID token",
        "an ID token known to the process",
        "a new ID token",
    ):
        yield Measurement(
            name=f"a trivial operation with {name}",
            ours=f"{found[name]:.0f} µs, {found[name] - public:.0f} µs of them for it",
            peer=f"without: {public:.0f} µs",
            ratio=found[name] / public,
        )
    for peer in ("PyJWT", "google-auth", "firebase-admin"):
        ours = found["a new ID token"] - public
        yield Measurement(
            name="a new ID token, with tenant and person",
            ours=f"{ours:.0f} µs",
            peer=f"{peer}, the token alone: {found[peer]:.0f} µs",
            ratio=ours / found[peer],
        )
