"""Finds the official Firestore and Pub/Sub emulators, or fetches them from Google with a pinned checksum.

Looked for in this order: the environment variable, an installed Cloud SDK, our cache, Google's download server.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigurationError

COMPONENTS = "https://dl.google.com/dl/cloudsdk/channels/rapid/components"
"""Where ``gcloud components install`` takes its archives from."""

JAVA_MINIMUM = 11


@dataclass(frozen=True, kw_only=True, slots=True)
class Jar:
    """An emulator that is one Java archive.

    Attributes:
        name: For people.
        variable: Environment variable with the path of the file; any version is taken from there.
        component: Component of the Cloud SDK, for ``gcloud components install`` and apt.
        build: Build number in the name of the component's archive.
        path: Place inside the SDK and inside the archive, below ``platform``.
        sha256: Checksum of the file itself; the archive is not trusted for anything else.
        components: Folder of the archives on Google's download server.
    """

    name: str
    variable: str
    component: str
    build: str
    path: str
    sha256: str
    components: str = COMPONENTS

    @property
    def url(self) -> str:
        """Address of the component's archive."""
        return f"{self.components}/google-cloud-sdk-{self.component}-{self.build}.tar.gz"


FIRESTORE = Jar(
    name="Firestore emulator 1.19.9",
    variable="XYNERGY_FIRESTORE_JAR",
    component="cloud-firestore-emulator",
    build="20250620144631",
    path="cloud-firestore-emulator/cloud-firestore-emulator.jar",
    sha256="9cbcb624132d5de4d07cbc1c4f392e0b77aaf4ac0816187757897f0a6a3c182c",
)
PUBSUB = Jar(
    name="Pub/Sub emulator 0.8.20",
    variable="XYNERGY_PUBSUB_JAR",
    component="pubsub-emulator",
    build="20250620144631",
    path="pubsub-emulator/lib/cloud-pubsub-emulator-0.8.20-all.jar",
    sha256="056bc216749e95ef495a81c9fa96b66863cedfb1b80b4d78ee8e3bde5a7b452f",
)


def java() -> str:
    """Return the path of a Java that runs the emulators.

    Raises:
        ConfigurationError: There is none, or it is too old; with what to install.
    """
    advice = (
        f"The Firestore and Pub/Sub emulators need Java {JAVA_MINIMUM} or newer: install it"
        " (Debian: apt install default-jre-headless; macOS: brew install openjdk) or set JAVA_HOME."
    )
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home) / "bin" / "java")) if home else None
    found = found or shutil.which("java")
    if found is None:
        raise ConfigurationError(f"Java was not found. {advice}")
    shown = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', shown)
    if version is None or int(version[1]) < JAVA_MINIMUM:
        raise ConfigurationError(f"{found} is not a usable Java ({shown.strip() or 'no answer'}). {advice}")
    return found


def sdk_roots() -> list[Path]:
    """Return the places where a Cloud SDK may be installed, likeliest first."""
    roots = []
    if os.environ.get("CLOUDSDK_ROOT_DIR"):
        roots.append(Path(os.environ["CLOUDSDK_ROOT_DIR"]))
    gcloud = shutil.which("gcloud")
    if gcloud:
        roots.append(Path(gcloud).resolve().parent.parent)
    roots += [
        Path("/usr/lib/google-cloud-sdk"),
        Path("/usr/share/google-cloud-sdk"),
        Path("/opt/google-cloud-sdk"),
        Path("/snap/google-cloud-cli/current"),
        Path("/opt/homebrew/share/google-cloud-sdk"),
        Path("/usr/local/share/google-cloud-sdk"),
        Path.home() / "google-cloud-sdk",
    ]
    return roots


def _installed(jar: Jar) -> Path | None:
    exact = Path(jar.path)
    pattern = str(exact.parent / re.sub(r"\d+(\.\d+)+", "*", exact.name))
    for root in sdk_roots():
        found = sorted((root / "platform").glob(pattern))
        if found:
            return found[-1]
    return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fetch(jar: Jar, target: Path) -> None:
    with urllib.request.urlopen(jar.url, timeout=60) as answer:
        archive = answer.read()
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        member = next((entry for entry in files if entry.isfile() and entry.name.endswith(jar.path)), None)
        content = files.extractfile(member) if member is not None else None
        if content is None:
            raise ConfigurationError(f"{jar.url} does not hold {jar.path}")
        data = content.read()
    if _digest(data) != jar.sha256:
        raise ConfigurationError(f"{jar.name}: the file fetched from {jar.url} has another checksum than pinned")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}")
    partial.write_bytes(data)
    partial.replace(target)


def locate(jar: Jar, cache: Path) -> Path:
    """Return the path of ``jar``, fetching it into ``cache`` where nothing else has it.

    Raises:
        ConfigurationError: It is nowhere and cannot be fetched; with what to install.
    """
    given = os.environ.get(jar.variable)
    if given:
        if not Path(given).is_file():
            raise ConfigurationError(f"{jar.variable} is {given!r}, which is not a file")
        return Path(given)
    installed = _installed(jar)
    if installed is not None:
        return installed
    cached = cache / Path(jar.path).name
    if cached.is_file() and _digest(cached.read_bytes()) == jar.sha256:
        return cached
    try:
        _fetch(jar, cached)
    except (urllib.error.URLError, TimeoutError, tarfile.TarError) as error:
        raise ConfigurationError(
            f"{jar.name} was not found and could not be fetched from {jar.url} ({error}). Install it with"
            f" 'gcloud components install {jar.component}' (where the Cloud SDK came from apt: 'apt install"
            f" google-cloud-cli-{jar.component.removeprefix('cloud-')}'), or set {jar.variable} to the path of its jar."
        ) from error
    return cached
