"""Links to files: in the cloud signed by IAM, locally by an HMAC; each for one object, for a while."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import Request
from google.cloud import storage
from requests.adapters import HTTPAdapter

from common.clients.registry import Clients
from common.clients.signing import AccountSigner, account_signer
from common.clients.storage import storage_client
from common.context import Context
from common.errors import Unavailable
from common.settings import Settings
from common.signed_links import opens, signed_link
from tests.common.things import context_of

ACCOUNT = "aso-export-link-run@some-project.iam.gserviceaccount.com"
LOCAL = {
    "GOOGLE_CLOUD_PROJECT": "demo-links",
    "XYNERGY_ENVIRONMENT": "local",
    "XYNERGY_FUNCTION_URL": "http://127.0.0.1:8080/{function}",
    "XYNERGY_CURSOR_KEY": "one key of the tests",
}


class Iam:
    """IAM's ``signBlob`` on this machine, with a key of its own."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        iam = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                iam.asked.append((self.path, self.headers["authorization"]))
                signature = iam.key.sign(base64.b64decode(body["payload"]), padding.PKCS1v15(), hashes.SHA256())
                content = json.dumps({"keyId": "k", "signedBlob": base64.b64encode(signature).decode()}).encode()
                self.send_response(iam.status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def session(self) -> requests.Session:
        """Return a session in which IAM is this server."""
        port = self.server.server_port

        class Here(HTTPAdapter):
            def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
                assert options["timeout"] == 10
                request.url = f"http://127.0.0.1:{port}{urlsplit(request.url or '').path}"
                return super().send(request, *args, **options)

        session = requests.Session()
        session.mount("https://iamcredentials.googleapis.com", Here())
        return session


class Metadata(Credentials):  # type: ignore[misc]
    """Credentials of a function: they know their account once they have a token."""

    def __init__(self) -> None:
        super().__init__()
        self.service_account_email = "default"

    def refresh(self, request: Any) -> None:
        self.token, self.service_account_email = "token-of-the-function", ACCOUNT
        self.expiry = None


@pytest.fixture
def iam() -> Iterator[Iam]:
    running = Iam()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def in_the_cloud(iam: Iam, monkeypatch: pytest.MonkeyPatch) -> Context:
    # The client library would take the emulator's address, which another test's emulators may have left set.
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    clients = Clients(Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "some-project"}))
    clients.replace(storage_client, storage.Client(project="some-project", credentials=AnonymousCredentials()))
    clients.replace(account_signer, AccountSigner(Metadata(), Request(iam.session())))
    return context_of(clients, "acme")


def verify(url: str, key: rsa.RSAPublicKey) -> dict[str, str]:
    """Check a V4 signed URL as Cloud Storage does (https://cloud.google.com/storage/docs/authentication/signatures)."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    signature = bytes.fromhex(query.pop("X-Goog-Signature"))
    canonical_query = "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))
    canonical = "\n".join(["GET", parts.path, canonical_query, f"host:{parts.netloc}\n", "host", "UNSIGNED-PAYLOAD"])
    scope = unquote(query["X-Goog-Credential"]).partition("/")[2]
    told = ["GOOG4-RSA-SHA256", query["X-Goog-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    key.verify(signature, "\n".join(told).encode(), padding.PKCS1v15(), hashes.SHA256())
    return query


def test_a_link_is_signed_as_the_functions_own_account(in_the_cloud: Context, iam: Iam) -> None:
    link = signed_link(in_the_cloud, "reports", "exports/1/file.csv")
    assert urlsplit(link.url).scheme == "https"
    assert urlsplit(link.url).path.endswith("/reports/acme/exports/1/file.csv")
    query = verify(link.url, iam.key.public_key())
    assert query["X-Goog-Expires"] == "900"
    assert query["X-Goog-Credential"].startswith(ACCOUNT)
    assert timedelta(minutes=14) < link.expires_at - datetime.now(UTC) <= timedelta(minutes=15)
    assert iam.asked == [
        (f"/v1/projects/-/serviceAccounts/{ACCOUNT}:signBlob", "Bearer token-of-the-function"),
    ]


def test_a_changed_link_is_not_valid(in_the_cloud: Context, iam: Iam) -> None:
    link = signed_link(in_the_cloud, "reports", "exports/1/file.csv")
    for changed in (link.url.replace("/acme/", "/other/"), link.url.replace("Expires=900", "Expires=9000")):
        assert changed != link.url
        with pytest.raises(InvalidSignature):
            verify(changed, iam.key.public_key())


def test_iam_that_refuses_is_unavailable(in_the_cloud: Context, iam: Iam) -> None:
    iam.status = 403
    with pytest.raises(Unavailable) as caught:
        signed_link(in_the_cloud, "reports", "exports/1/file.csv")
    assert caught.value.dependency == "iam"


@pytest.mark.parametrize("path", ["../other/file.csv", "exports//file.csv", "exports/fi le.csv", "", "exports/.."])
def test_no_path_leads_out_of_the_tenant(in_the_cloud: Context, path: str) -> None:
    with pytest.raises(ValueError, match="no path of an object"):
        signed_link(in_the_cloud, "reports", path)


def local_link(lifetime: timedelta = timedelta(minutes=15)) -> tuple[Settings, tuple[str, str, str, str]]:
    settings = Settings.from_environment(LOCAL)
    link = signed_link(context_of(Clients(settings), "acme"), "reports", "exports/1/file.csv", lifetime)
    parts = urlsplit(link.url)
    query = dict(parse_qsl(parts.query))
    bucket, _, name = parts.path.removeprefix("/_local/files/").partition("/")
    assert link.url.startswith("http://127.0.0.1:8080/_local/files/")
    return settings, (bucket, name, query["expires"], query["signature"])


def test_a_local_link_opens_its_object_until_its_time_is_over() -> None:
    settings, given = local_link()
    assert given[:2] == ("reports", "acme/exports/1/file.csv")
    assert opens(settings, *given)
    settings, over = local_link(timedelta(seconds=-1))
    assert not opens(settings, *over)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, "content"),
        (1, "other/exports/1/file.csv"),
        (2, "99999999999"),
        (2, "soon"),
        (2, ""),
        (2, "٣"),
        (2, "9" * 6000),
        (3, "0" * 64),
        (3, ""),
        (3, "é"),
    ],
)
def test_a_local_link_cannot_be_changed(place: int, value: str) -> None:
    settings, given = local_link()
    changed = [*given]
    changed[place] = value
    assert not opens(settings, *changed)


def test_nothing_opens_with_a_local_link_in_the_cloud_or_with_another_key() -> None:
    _, given = local_link()
    for environment in ({**LOCAL, "XYNERGY_CURSOR_KEY": "another"}, {**LOCAL, "XYNERGY_ENVIRONMENT": "cloud"}):
        assert not opens(Settings.from_environment(environment), *given)
