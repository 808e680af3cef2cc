"""The key-encryption key: Cloud KMS over its REST interface (a small server speaks for it), and the local key file."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from common.clients.account_token import AccountToken
from common.clients.registry import Clients
from common.context import Context
from common.crypto.wrapping import FileKeys, KmsKeys, Wrapped, key_encryption, key_line
from common.errors import ConfigurationError, SealBroken, Unavailable
from common.settings import Settings
from tests.common.crypto.test_envelope import context_of

NAME = "projects/p/locations/l/keyRings/xynergy/cryptoKeys/tenants"


class Token(AccountToken):
    def headers(self) -> Mapping[str, str]:
        return {"authorization": "Bearer of-the-account"}


class KmsServer(ThreadingHTTPServer):
    """Cloud KMS for one key: ``answers`` are given instead of the real ones, the first one first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.version, self.answers, self.paths = 1, list[tuple[int, object]](), list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, verb: str, body: Mapping[str, str]) -> tuple[int, object]:
        if self.answers:
            return self.answers.pop(0)
        associated = body["additionalAuthenticatedData"]
        if verb == "encrypt":
            text = json.dumps([self.version, associated, body["plaintext"]]).encode()
            name = f"{NAME}/cryptoKeyVersions/{self.version}"
            return 200, {"name": name, "ciphertext": base64.b64encode(text).decode()}
        try:
            _, bound, plaintext = json.loads(base64.b64decode(body["ciphertext"]))
        except ValueError:
            bound = None
        if bound != associated:
            return 400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Decryption failed"}}
        return 200, {"plaintext": plaintext}


class _Handler(BaseHTTPRequestHandler):
    server: KmsServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["authorization"] == "Bearer of-the-account"
        self.server.paths.append(self.path)
        status, content = self.server.answer(self.path.rpartition(":")[2], body)
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[KmsServer]:
    with KmsServer() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def context() -> Context:
    return context_of(Clients(Settings(environment="local", project="p", fetch_loopback=True)), "acme")


@pytest.fixture
def kms(server: KmsServer) -> KmsKeys:
    return KmsKeys(NAME, Token("", "kms"), server.url)


def test_kms_wraps_and_unwraps(kms: KmsKeys, server: KmsServer, context: Context) -> None:
    key = bytes(range(32))
    wrapped = kms.wrap(context, key, b"acme/1")
    assert wrapped.by == f"{NAME}/cryptoKeyVersions/1"
    assert kms.unwrap(context, wrapped, b"acme/1") == key
    server.version = 2
    assert kms.wrap(context, key, b"acme/1").by.endswith("/2")
    assert kms.unwrap(context, wrapped, b"acme/1") == key, "KMS knows which version wrapped it"
    assert set(server.paths) == {f"/v1/{NAME}:encrypt", f"/v1/{NAME}:decrypt"}


def test_kms_refuses_what_was_wrapped_for_something_else(kms: KmsKeys, context: Context) -> None:
    wrapped = kms.wrap(context, bytes(32), b"acme/1")
    for other, place in ((wrapped, b"other/1"), (Wrapped(text="bm9uc2Vuc2U=", by=""), b"acme/1")):
        with pytest.raises(SealBroken) as broken:
            kms.unwrap(context, other, place)
        assert broken.value.code == "wrapped_key_not_authentic"


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (429, {}),
        (403, {"error": {"status": "PERMISSION_DENIED"}}),
        (404, {}),
        (400, {"error": {"status": "FAILED_PRECONDITION"}}),
        (200, b"no json"),
        (200, []),
        (200, b"x" * 70_000),
    ],
)
def test_what_may_pass_by_is_told_apart(
    kms: KmsKeys, server: KmsServer, context: Context, answer: tuple[int, object]
) -> None:
    wrapped = kms.wrap(context, bytes(32), b"acme/1")
    server.answers = [answer]
    with pytest.raises(Unavailable) as away:
        kms.unwrap(context, wrapped, b"acme/1")
    assert away.value.dependency == "kms"
    assert kms.unwrap(context, wrapped, b"acme/1") == bytes(32)


def test_a_key_that_comes_back_changed_is_not_stored(kms: KmsKeys, server: KmsServer, context: Context) -> None:
    other = base64.b64encode(bytes(range(32))).decode()
    wrapped = kms.wrap(context, bytes(32), b"acme/1")
    server.answers = [(200, {"name": NAME, "ciphertext": wrapped.text}), (200, {"plaintext": other})]
    with pytest.raises(Unavailable, match="came back changed"):
        kms.wrap(context, bytes(32), b"acme/1")


def test_the_key_file_is_kept_to_oneself(tmp_path: Path, context: Context) -> None:
    file = tmp_path / "keys"
    for content, mode, why in (
        (key_line("1"), 0o644, "read by others"),
        ("", 0o600, "holds no keys"),
        ("1:AAAA\n", 0o600, "holds no keys"),
        ("1:no base64!\n", 0o600, "cannot be read"),
    ):
        file.write_text(content, encoding="ascii")
        file.chmod(mode)
        with pytest.raises(ConfigurationError, match=why):
            FileKeys(file).wrap(context, bytes(32), b"")
    file.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        FileKeys(file).wrap(context, bytes(32), b"")


@pytest.mark.parametrize("wrapped", [Wrapped(text="", by="file:1"), Wrapped(text="?", by="file:1")])
def test_a_damaged_wrapping_is_told(tmp_path: Path, context: Context, wrapped: Wrapped) -> None:
    file = tmp_path / "keys"
    file.write_text(key_line("1"), encoding="ascii")
    file.chmod(0o600)
    whole = FileKeys(file).wrap(context, bytes(32), b"acme")
    for each in (wrapped, dataclasses.replace(whole, by="file:2"), dataclasses.replace(whole, text=whole.text[4:])):
        with pytest.raises(SealBroken):
            FileKeys(file).unwrap(context, each, b"acme")


def test_the_deployment_names_the_key() -> None:
    with pytest.raises(ConfigurationError, match="XYNERGY_KMS_KEY is not set"):
        key_encryption(Settings(environment="local", project="p"))
    assert isinstance(key_encryption(Settings(environment="cloud", project="p", kms_key=NAME)), KmsKeys)
    with pytest.raises(ConfigurationError, match="outside the local cloud"):
        Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "p", "XYNERGY_KMS_KEY": "file:/keys"})
