"""Every secret of a test run in one place, and the search for them where none may be: a net under all tests.

Fixtures register what they make; what goes through ``requests`` registers itself: credentials that are presented, and
keys, tokens and codes in answers, each of which may be in the one answer that shows it and in none after it. When the
session ends, all that is left of it is searched, in plain and as base64 has it. A secret that is found fails the run.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import itertools
import re
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import requests
from google.cloud import pubsub_v1

from common.clients.registry import Clients
from common.clients.storage import storage_client
from tests.stack import Stack, TestEmulators
from triggers.local.functions import read_manifest, topics
from triggers.local.persistence import export_documents
from triggers.local.resources import domains

SHAPES = re.compile(rb"xy[a-z]_[A-Za-z0-9_-]{43}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
"""How the product's keys and tokens, and everybody's signed tokens, look."""

SHORTEST = 16
"""Characters from which on a text cannot be somewhere by chance."""

BLOCK = 4 << 20
WINDOW = 8
BITS = 22
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Needles:
    """Many texts, searched for at once: by the hash of their first eight bytes, and exactly where that is found."""

    def __init__(self, secrets: Mapping[bytes, str]) -> None:
        self._by_begin: dict[bytes, list[tuple[bytes, str]]] = defaultdict(list)
        for secret, what in secrets.items():
            for form, needle in forms(secret):
                self._by_begin[needle[:WINDOW]].append((needle, f"{what}{form}"))
        begins = np.frombuffer(b"".join(self._by_begin), dtype="<u8")
        self._known: np.ndarray[Any, Any] = np.zeros(1 << BITS, dtype=bool)
        self._known[self._hash(begins)] = True

    @staticmethod
    def _hash(windows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        hashed: np.ndarray[Any, Any] = (windows * MULTIPLIER) >> np.uint64(64 - BITS)
        return hashed

    def found_in(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Yield the place and the name of every secret in ``data``."""
        for start in range(0, len(data), BLOCK):
            block = data[start : start + BLOCK + WINDOW - 1]
            for offset in range(min(WINDOW, len(block) - WINDOW + 1)):
                windows = np.frombuffer(block, dtype="<u8", offset=offset, count=(len(block) - offset) // WINDOW)
                for index in np.flatnonzero(self._known[self._hash(windows)]):
                    yield from self._at(data, start + offset + int(index) * WINDOW)

    def _at(self, data: bytes, place: int) -> Iterator[tuple[int, str]]:
        for needle, what in self._by_begin.get(data[place : place + WINDOW], ()):
            if data.startswith(needle, place):
                yield place, what


def forms(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a secret as it is, and the middle of it as base64 has it, wherever in the encoded text it begins."""
    yield "", secret
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            encoded = alphabet(b"\0" * shift + secret)
            middle = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
            if len(middle) >= SHORTEST:
                yield " in base64", middle


class Planted:
    """The secrets of this process and what was kept of the run.

    Attributes:
        places: What has been kept to be searched, by where it comes from.
    """

    def __init__(self) -> None:
        self._secrets: dict[bytes, str] = {}
        self._lock = threading.Lock()
        self.places: dict[str, list[bytes]] = defaultdict(list)

    def __len__(self) -> int:
        """Return the number of secrets."""
        return len(self._secrets)

    def register(self, what: str, secret: str | bytes) -> None:
        """Remember a secret; texts too short to be one are left out."""
        content = secret.encode() if isinstance(secret, str) else secret
        # Examples of the documentation have the shape of a secret, filled with x.
        if len(content) >= SHORTEST and content[SHORTEST // 2 :].strip(b"x"):
            with self._lock:
                self._secrets.setdefault(content, what)

    def keep(self, place: str, content: str | bytes) -> None:
        """Keep a text to be searched when the session ends."""
        if content:
            self.places[place].append(content.encode() if isinstance(content, str) else content)

    def answered(self, answer: requests.Response) -> None:
        """Take note of a request and its answer.

        A secret that is seen for the first time is one that this answer shows; it is cut out of what is kept of it.
        What other servers of tests answer (providers of accounts) may hold secrets; functions name the request.
        """
        request, path = answer.request, str(answer.request.path_url).partition("?")[0]
        for name in ("Authorization", "X-API-Key"):
            self.learn("a credential that was presented", str(request.headers.get(name, "")).encode("latin-1"))
        if "X-Request-ID" not in answer.headers:
            return
        content = answer.content
        shown = {secret for secret in SHAPES.findall(content) if secret not in self._secrets}
        for secret in shown:
            self.register(f"shown by {request.method} {path}", secret)
            content = content.replace(secret, b"")  # an invite has a token and a link with it
        self.keep(f"the answer to {request.method} {path}", content + str(answer.headers).encode())

    def learn(self, what: str, text: bytes) -> None:
        """Register everything in a text that looks like a secret."""
        for secret in SHAPES.findall(text):
            self.register(what, secret)

    def finds(self, more: Iterable[tuple[str, bytes]] = ()) -> list[str]:
        """Return where which secret is, each place once."""
        needles = Needles(self._secrets)
        found: dict[tuple[str, str], str] = {}
        kept = ((place, b"\n".join(parts)) for place, parts in self.places.items())
        for source in (kept, more):
            for place, data in source:
                for position, what in needles.found_in(data):
                    around = data[max(0, position - 60) : position + 8]
                    found.setdefault((place, what), f"{place}: {what}, after {around!r}...")
        return list(found.values())


PLANTED = Planted()
"""The secrets of this process."""


def watch_requests(patch: pytest.MonkeyPatch) -> None:
    """Take note of everything that is sent by ``requests`` in this process."""
    send = requests.Session.send

    def noted(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = send(session, request, **options)
        if not options.get("stream"):
            PLANTED.answered(answer)
        return answer

    patch.setattr(requests.Session, "send", noted)


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a file, and what is in it where it is an archive (a workbook is one) or compressed."""
    yield name, content
    if content[:2] == b"\x1f\x8b":
        yield f"{name}, decompressed", gzip.decompress(content)
    elif zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from ((f"{name}/{member}", archive.read(member)) for member in archive.namelist())


def log_files(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the content of log files."""
    for file in sorted(set(files)):
        if file.is_file():
            yield f"the log {file.name}", file.read_bytes()


RECORD_BLOCK, RECORD_HEADER = 32_768, 7


def exported_documents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield an export of Firestore: blocks of a log whose records go on behind the header of the next block."""
    for file in sorted(folder.rglob("output-*")):
        data = file.read_bytes()
        starts = range(0, len(data), RECORD_BLOCK)
        yield "a document", b"".join(data[start + RECORD_HEADER : start + RECORD_BLOCK] for start in starts)


# ---------------------------------------------------------------------- what a session leaves behind


class Tap:
    """A subscription of our own to every topic of a local cloud: sees what is published, whoever consumes it."""

    def __init__(self, project: str, topics: Iterable[str]) -> None:
        self._subscriber = pubsub_v1.SubscriberClient()
        self._names = [f"projects/{project}/subscriptions/tap-{topic}" for topic in sorted(topics)]
        for name in self._names:
            topic = name.partition("/subscriptions/tap-")[2]
            self._subscriber.create_subscription(name=name, topic=f"projects/{project}/topics/{topic}")

    def drained(self) -> Iterator[tuple[str, bytes]]:
        """Yield everything that was published, topic by topic, and close."""
        for name in self._names:
            seen: list[bytes] = []
            while found := self._pull(name):
                seen += [each.message.data + str(dict(each.message.attributes)).encode() for each in found]
            yield f"messages of {name.rpartition('/tap-')[2]}", b"\n".join(seen)
        self._subscriber.close()

    def _pull(self, name: str) -> list[Any]:
        answer = self._subscriber.pull(subscription=name, max_messages=1000, return_immediately=True, timeout=30)
        found = list(answer.received_messages)
        if found:
            self._subscriber.acknowledge(subscription=name, ack_ids=[each.ack_id for each in found])
        return found


def documents_of(firestore: str, projects: Iterable[str], folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every document of every project, technical ones included, as the emulator exports it."""
    for project in sorted(projects):
        export_documents(firestore, project, folder / project)
        for _, content in exported_documents(folder / project):
            yield f"documents of {project}", content


def redis_contents(url: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all databases of a Redis as its dump has them, uncompressed."""
    with redis.Redis.from_url(url) as client:
        client.config_set("rdbcompression", "no")
        client.save()
    yield "Redis", (folder / "dump.rdb").read_bytes()


def files_of(clients: Clients) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a deployment's buckets."""
    storage, settings = clients.get(storage_client), clients.settings
    for bucket in (settings.audit_bucket, settings.content_bucket, settings.report_bucket):
        for blob in storage.list_blobs(bucket):
            yield from unpacked(f"{bucket}/{blob.name}", blob.download_as_bytes())


@contextlib.contextmanager
def tapped(stack: Stack) -> Iterator[None]:
    """Keep what passes through a local cloud: messages, files and logs; register what it keeps secret."""
    local = stack.local
    PLANTED.register("the operator's key", local.operator_key)
    PLANTED.register("the cursor key", stack.settings.cursor_key)
    for line in Path(stack.settings.kms_key.removeprefix("file:")).read_text(encoding="ascii").split():
        PLANTED.register("the key-encryption key", line.partition(":")[2])
    tap = Tap(local.project, topics(read_manifest(), domains()))
    yield
    for place, content in [
        *tap.drained(),
        *files_of(stack.clients),
        *log_files([service.log for service in local.services.values()]),
    ]:
        PLANTED.keep(place, content)


@contextlib.contextmanager
def searched(emulators: TestEmulators) -> Iterator[None]:
    """Take note of all that is sent, and search for secrets at the end; fail where one is found."""
    with pytest.MonkeyPatch.context() as patch:
        watch_requests(patch)
        yield
    folder, services = emulators.services.folder, emulators.services.services.values()
    left: Iterator[tuple[str, bytes]] = itertools.chain(
        documents_of(emulators.firestore, emulators.projects, folder / "documents"),
        redis_contents(emulators.redis, folder / "redis"),
        log_files([service.log for service in services]),
    )
    found = PLANTED.finds(left)
    if found:
        pytest.fail("secrets were found where none may be:\n" + "\n".join(found), pytrace=False)
