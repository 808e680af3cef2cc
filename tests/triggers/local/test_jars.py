"""Finding the emulators' jars: given, installed, cached, fetched with a pinned checksum, or a message that helps."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from triggers.local.jars import COMPONENTS, FIRESTORE, PUBSUB, Jar, java, locate

CONTENT = b"not really a jar"


class Quiet(SimpleHTTPRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Jar]:
    """A jar that a download server offers in a component's archive."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    jar = Jar(
        name="Test emulator",
        variable="XYNERGY_TEST_JAR",
        component="test-emulator",
        build="1",
        path="test-emulator/lib/test-emulator-1.2.3.jar",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        components=f"http://127.0.0.1:{server.server_port}",
    )
    with tarfile.open(folder / jar.url.rpartition("/")[2], "w:gz") as archive:
        member = tarfile.TarInfo(f"platform/{jar.path}")
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))
    yield jar
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_missing_jar_is_fetched_once_and_kept(published: Jar, tmp_path: Path) -> None:
    found = locate(published, tmp_path / "cache")
    assert found.read_bytes() == CONTENT
    unreachable = replace(published, components="http://127.0.0.1:9")
    assert locate(unreachable, tmp_path / "cache") == found


def test_another_checksum_is_refused(published: Jar, tmp_path: Path) -> None:
    changed = replace(published, sha256="0" * 64)
    with pytest.raises(ConfigurationError, match="another checksum"):
        locate(changed, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_what_cannot_be_fetched_says_what_to_install(published: Jar, tmp_path: Path) -> None:
    unreachable = replace(published, components="http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="gcloud components install test-emulator"):
        locate(unreachable, tmp_path / "cache")


def test_the_variable_comes_first(published: Jar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.jar"
    mine.write_bytes(b"mine")
    monkeypatch.setenv(published.variable, str(mine))
    assert locate(published, tmp_path / "cache") == mine
    monkeypatch.setenv(published.variable, str(tmp_path / "nowhere.jar"))
    with pytest.raises(ConfigurationError, match="not a file"):
        locate(published, tmp_path / "cache")


def test_an_installed_sdk_is_used_whatever_its_version(
    published: Jar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "sdk" / "platform" / "test-emulator" / "lib" / "test-emulator-9.8.7.jar"
    installed.parent.mkdir(parents=True)
    installed.write_bytes(b"installed")
    monkeypatch.setenv("CLOUDSDK_ROOT_DIR", str(tmp_path / "sdk"))
    assert locate(published, tmp_path / "cache") == installed


def test_without_java_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigurationError, match="Java 11 or newer"):
        java()


def test_the_emulators_come_from_google() -> None:
    for jar in (FIRESTORE, PUBSUB):
        assert jar.url.startswith(f"{COMPONENTS}/google-cloud-sdk-{jar.component}-")
        assert COMPONENTS.startswith("https://dl.google.com/")
        assert len(bytes.fromhex(jar.sha256)) == 32
