"""Cut one function's ``requirements.txt`` from the one lock file.

Imports are mapped to distributions by a committed table, which a test holds against the installed metadata. What those
distributions need in turn is read from their own metadata, for the Python that the functions run on.
"""

from __future__ import annotations

import functools
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from common.errors import DeclarationError
from triggers.closure import Closure

DISTRIBUTIONS: Mapping[str, str] = {
    "cloudevents": "cloudevents",
    "cryptography": "cryptography",
    "firebase_admin": "firebase-admin",
    "flask": "flask",
    "functions_framework": "functions-framework",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.exceptions": "google-cloud-core",
    "google.cloud.firestore": "google-cloud-firestore",
    "google.cloud.firestore_v1": "google-cloud-firestore",
    "google.cloud.pubsub_v1": "google-cloud-pubsub",
    "google.cloud.storage": "google-cloud-storage",
    "google.cloud.tasks_v2": "google-cloud-tasks",
    "google.events": "google-events",
    "google.oauth2": "google-auth",
    "google.protobuf": "protobuf",
    "google.pubsub_v1": "google-cloud-pubsub",
    "google.rpc": "googleapis-common-protos",
    "google.type": "googleapis-common-protos",
    "grpc": "grpcio",
    "idna": "idna",
    "limits": "limits",
    "proto": "proto-plus",
    "publicsuffixlist": "publicsuffixlist",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic-core",
    "redis": "redis",
    "requests": "requests",
    "structlog": "structlog",
    "typing_extensions": "typing-extensions",
    "werkzeug": "werkzeug",
}
"""Import prefix to distribution; the longest prefix wins (``google`` is a namespace that many share)."""

DATA: Mapping[str, str] = {"zoneinfo": "tzdata"}
"""Distribution with the data of a module of the standard library, which the functions' machines need not have."""

ALWAYS = frozenset({"functions-framework"})
"""What serves every function, whether the function imports it or not."""

TARGET = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""The machine that functions run on, in the terms of dependency markers (PEP 508)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned:
    """One entry of the lock.

    Attributes:
        version: The version.
        text: Its lines without comments, ending in a newline.
    """

    version: str
    text: str


class Lock:
    """The lock file and the direct dependencies of the project.

    Attributes:
        pinned: Entry by canonical name.
        direct: Names of the project's dependencies; what only tests and checks need is not among them.
    """

    def __init__(self, root: Path) -> None:
        self.pinned = read_lock((root / "requirements.lock").read_text(encoding="utf-8"))
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        self.direct = frozenset(canonicalize_name(Requirement(text).name) for text in project["dependencies"])
        self.deployable = self.needed_by(self.direct)

    def distributions(self, closure: Closure) -> frozenset[str]:
        """Return the distributions that a closure imports, with the one that serves it.

        Raises:
            DeclarationError: An import belongs to no distribution of the lock that may be deployed.
        """
        found = set(ALWAYS)
        for file, imported in closure.foreign:
            top = imported.name.split(".", 1)[0]
            if top in sys.stdlib_module_names and top not in DATA:
                continue
            distribution = DATA.get(top) or distribution_of(imported.name)
            if distribution not in self.deployable:
                raise DeclarationError(file, imported.line, f"{imported.name} belongs to no requirement of the project")
            found.add(distribution)
        return frozenset(found)

    def requirements(self, distributions: Iterable[str]) -> str:
        """Return a ``requirements.txt`` with hashes for distributions and all that they need."""
        return "".join(self.pinned[name].text for name in sorted(self.needed_by(distributions)))

    def needed_by(self, distributions: Iterable[str]) -> frozenset[str]:
        """Return the distributions and, transitively, their own dependencies on the target.

        Raises:
            DeclarationError: The lock lacks one, or another version of it is installed than the lock says.
        """
        seen: set[tuple[str, str]] = set()
        waiting: list[tuple[str, str]] = [(canonicalize_name(name), "") for name in distributions]
        while waiting:
            name, extra = waiting.pop()
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            self._check_installed(name)
            waiting.extend(_needs(name, extra))
        return frozenset(name for name, _ in seen)

    def _check_installed(self, name: str) -> None:
        if name not in self.pinned:
            raise DeclarationError("requirements.lock", 1, f"{name} is needed and not in the lock: run nox -s lock")
        installed = _version(name)
        if installed is None:
            raise DeclarationError("requirements.lock", 1, f"{name} is not installed here")
        if installed != self.pinned[name].version:
            detail = f"{name}: {self.pinned[name].version} is locked and {installed} installed"
            raise DeclarationError("requirements.lock", 1, detail)


@functools.cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@functools.cache
def _needs(name: str, extra: str) -> tuple[tuple[str, str], ...]:
    """Return what a distribution needs on the target for one of its extras, each with an extra that is asked of it."""
    found: list[tuple[str, str]] = []
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({**TARGET, "extra": extra}):
            wanted = canonicalize_name(requirement.name)
            found.extend((wanted, chosen) for chosen in ("", *sorted(requirement.extras)))
    return tuple(found)


def distribution_of(imported: str) -> str | None:
    """Return the distribution that provides a dotted name, by the longest prefix of the table."""
    parts = imported.split(".")
    for length in range(len(parts), 0, -1):
        distribution = DISTRIBUTIONS.get(".".join(parts[:length]))
        if distribution is not None:
            return distribution
    return None


def read_lock(text: str) -> dict[str, Pinned]:
    """Read a hashed lock file: canonical name to entry."""
    pinned: dict[str, Pinned] = {}
    name, lines = "", list[str]()
    version = ""
    for line in [*text.splitlines(), "end==0"]:
        start = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", line)
        if start:
            if name:
                pinned[name] = Pinned(version=version, text="\n".join(lines).rstrip(" \\") + "\n")
            name, version, lines = canonicalize_name(start[1]), start[2], [line]
        elif line.strip().startswith("--hash="):
            lines.append(line)
    return pinned
