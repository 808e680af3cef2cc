"""A provider of accounts for tests: Google's and Microsoft's four addresses, people, and whatever can go wrong.

Each person is a world of its own: faults are set for one person and hit nobody else, so tests that share the server do
not meet.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from tests import planted

PLANTED = "planted-oauth"
"""In every secret of the provider, and nowhere else: whoever finds it outside has found a leak."""
CLIENTS = {
    "google": ("google-client", f"{PLANTED}-google-secret"),
    "microsoft": ("microsoft-client", f"{PLANTED}-microsoft-secret"),
}
DIRECTORY = "9188040d-6c67-4c5b-b112-36a304b66dad"
GOOGLE_SCOPES = {
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}


def secret(kind: str) -> str:
    """Return a new secret that is recognised anywhere."""
    made = f"{PLANTED}-{kind}-{secrets.token_urlsafe(18)}"
    planted.PLANTED.register(f"a provider's {kind}", made)
    return made


@dataclass
class Person:
    """Somebody with an account at the provider, and how the provider treats this account.

    Attributes:
        subject: Id of the account.
        email: Address.
        declines: What the provider sends back instead of a code, such as ``access_denied``.
        ungranted: Scopes the person leaves out.
        rotates: Whether each refresh gives a new refresh token and ends the old one.
        keeps_refresh: Whether no refresh token is given at first.
        life: Seconds of an access token.
        claims: What the ID token says differently; None leaves a claim out.
        body: Answered by the token endpoint instead of the real answer, the first one first: status and bytes.
        hold: While it is not set, the token endpoint lets this person's calls wait.
        revocation: Status that the revocation endpoint answers; None for the real answer.
        userinfo: What the user information says differently.
        refreshed: How many refreshes were asked for.
        granted: Refresh tokens that are good.
        ended: Refresh tokens that were good.
        access: Access tokens that were given.
        revoked: Tokens that were given back.
    """

    subject: str
    email: str
    declines: str | None = None
    ungranted: set[str] = field(default_factory=set)
    rotates: bool = False
    keeps_refresh: bool = False
    life: int = 3600
    claims: dict[str, Any] = field(default_factory=dict)
    body: list[tuple[int, bytes]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    revocation: int | None = None
    userinfo: dict[str, Any] = field(default_factory=dict)
    refreshed: int = 0
    granted: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    access: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    def ends_consent(self) -> None:
        """Take the consent back at the provider."""
        self.ended |= self.granted
        self.granted.clear()


@dataclass(frozen=True)
class Code:
    """An authorization code."""

    person: Person
    provider: str
    scopes: list[str]
    challenge: str
    nonce: str
    redirect: str


class OAuthServer:
    """The provider."""

    def __init__(self) -> None:
        self.url = ""
        self.people: dict[str, Person] = {}
        self.codes: dict[str, Code] = {}
        self.lock = threading.Lock()

    def clients(self, **more: Any) -> str:
        """Return the setting of a deployment that is registered here."""
        for _, key in CLIENTS.values():
            planted.PLANTED.register("a client's secret at a provider", key)
        known = {
            name: {"client_id": client, "client_secret": key, "url": self.url}
            for name, (client, key) in CLIENTS.items()
        }
        return json.dumps({**known, **more})

    def person(self, **fields: Any) -> Person:
        """Make a person whom the provider lets in."""
        subject = secrets.token_hex(10)
        person = self.people[subject] = Person(subject=subject, email=f"{subject}@provider.example", **fields)
        person.hold.set()
        return person

    def visit(self, address: str, person: Person) -> str:
        """Do what the person's browser does: go to the provider, decide; return where the provider sends it."""
        answer = requests.get(f"{address}&as={person.subject}", allow_redirects=False, timeout=30)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    # -------------------------------------------------------------------- endpoints

    def authorize(self, provider: str, asked: Mapping[str, str]) -> str:
        """Answer the authorization request; return where the browser goes."""
        assert asked["client_id"] == CLIENTS[provider][0]
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        person = self.people[asked["as"]]
        back: dict[str, str] = {"state": asked["state"], "authuser": "0"}
        if person.declines is not None:
            back |= {"error": person.declines, "error_description": "The person said no."}
        else:
            scopes = [scope for scope in asked["scope"].split() if scope not in person.ungranted]
            code = secret("code")
            self.codes[code] = Code(
                person, provider, scopes, asked["code_challenge"], asked["nonce"], asked["redirect_uri"]
            )
            back |= {"code": code}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def token(self, provider: str, asked: Mapping[str, str]) -> tuple[int, bytes]:
        """Answer the token request."""
        if (asked.get("client_id"), asked.get("client_secret")) != CLIENTS[provider]:
            return _error(401, "invalid_client")
        if asked["grant_type"] == "authorization_code":
            return self._exchanged(provider, asked)
        with self.lock:
            token, people = asked["refresh_token"], self.people.values()
            person = next((each for each in people if token in each.granted | each.ended), None)
            if person is None:
                return _error(400, "invalid_grant")
            person.refreshed += 1
        person.hold.wait(30)
        if person.body:
            return person.body.pop(0)
        with self.lock:
            if token not in person.granted:
                return _error(400, "invalid_grant")
            if person.rotates:
                person.ends_consent()
            return self._given(person, refresh=person.rotates)

    def _exchanged(self, provider: str, asked: Mapping[str, str]) -> tuple[int, bytes]:
        planted.PLANTED.register("a code verifier", asked.get("code_verifier", ""))
        code = self.codes.pop(asked["code"], None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if code is None or code.challenge != proof or code.redirect != asked["redirect_uri"]:
            return _error(400, "invalid_grant")
        code.person.hold.wait(30)
        if code.person.body:
            return code.person.body.pop(0)
        with self.lock:
            return self._given(code.person, refresh=not code.person.keeps_refresh, code=code)

    def _given(self, person: Person, *, refresh: bool, code: Code | None = None) -> tuple[int, bytes]:
        access = secret("access")
        person.access.append(access)
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": person.life}
        if refresh:
            answer["refresh_token"] = secret("refresh")
            person.granted.add(answer["refresh_token"])
        if code is not None:
            answer["scope"] = " ".join(_called(code.provider, scope) for scope in code.scopes)
            if "id_token" not in person.claims:
                answer["id_token"] = self._id_token(person, code)
        return 200, json.dumps(answer).encode()

    def _id_token(self, person: Person, code: Code) -> str:
        now = int(time.time())
        issuer = f"{self.url}/{code.provider}"
        claims = {
            "iss": issuer if code.provider == "google" else f"{issuer}/{DIRECTORY}/v2.0",
            "aud": CLIENTS[code.provider][0],
            "sub": person.subject,
            "tid": DIRECTORY,
            "nonce": code.nonce,
            "email": person.email,
            "name": "Person of Tests",
            "iat": now,
            "exp": now + 3600,
            **person.claims,
        }
        body = json.dumps({name: value for name, value in claims.items() if value is not None})
        parts = (b'{"alg":"RS256","kid":"1"}', body.encode(), secret("signature").encode())
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    def revoke(self, asked: Mapping[str, str]) -> tuple[int, bytes]:
        """Answer the revocation request."""
        with self.lock:
            for person in self.people.values():
                if asked["token"] in person.granted | set(person.access):
                    if person.revocation is not None:
                        return person.revocation, b"{}"
                    person.revoked.append(asked["token"])
                    person.ends_consent()
                    return 200, b"{}"
        return _error(400, "invalid_token")

    def claims(self, token: str) -> tuple[int, bytes]:
        """Answer the request for the person's claims."""
        for person in self.people.values():
            if token in person.access:
                return 200, json.dumps({"sub": person.subject, "email": person.email, **person.userinfo}).encode()
        return _error(401, "invalid_token")


def _called(provider: str, scope: str) -> str:
    """Return what a provider's answer calls a scope."""
    if provider == "microsoft":
        return "" if scope in {"openid", "offline_access"} else scope
    return GOOGLE_SCOPES.get(scope, scope)


def _error(status: int, code: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": code, "error_description": f"{PLANTED} told in words"}).encode()


class _Handler(BaseHTTPRequestHandler):
    provider: OAuthServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        _, name, endpoint = url.path.split("/")
        if endpoint == "userinfo":
            self._answer(*self.provider.claims(self.headers["authorization"].removeprefix("Bearer ")))
            return
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.send_response(302)
        self.send_header("location", self.provider.authorize(name, asked))
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        _, name, endpoint = self.path.split("/")
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        self._answer(*(self.provider.revoke(asked) if endpoint == "revoke" else self.provider.token(name, asked)))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def oauth_server() -> Iterator[OAuthServer]:
    """Run the provider."""
    provider = OAuthServer()
    handler = type("Handler", (_Handler,), {"provider": provider})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        provider.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield provider
        for person in provider.people.values():
            person.hold.set()
        server.shutdown()
        thread.join()
