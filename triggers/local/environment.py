"""The emulators' own Python environment: made on first use from ``emulators.lock``, then kept."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from common.errors import ConfigurationError

LOCK_FILE = Path(__file__).with_name("emulators.lock")
REPOSITORY = Path(__file__).parent.parent.parent
HOME_VARIABLE = "XYNERGY_LOCAL_HOME"
"""Folder of what the local cloud keeps between runs: the emulators' environment and fetched files."""

ENVIRONMENT_VARIABLE = "XYNERGY_EMULATORS_ENVIRONMENT"
"""A ready-made environment to use instead (it must hold what ``emulators.lock`` lists)."""


def local_home() -> Path:
    """Return the folder of what the local cloud keeps between runs; ``.local`` of the repository unless set."""
    return Path(os.environ.get(HOME_VARIABLE) or REPOSITORY / ".local").absolute()


def _uv() -> list[str] | None:
    found = shutil.which("uv")
    if found:
        return [found]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(
            f"could not make the emulators' environment: {' '.join(command)}\n{(done.stderr or done.stdout)[-2000:]}"
        )


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _create(folder: Path) -> None:
    uv = _uv()
    python = str(folder / "bin" / "python")
    if uv:
        _run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        _run([*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(LOCK_FILE)])
        return
    _run([sys.executable, "-m", "venv", str(folder)])
    _run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(LOCK_FILE)])


def emulators_environment(tell: Callable[[str], None] = lambda _text: None) -> Path:
    """Return the folder of the emulators' environment, making it when it is missing.

    Two starts at once do not race: the second waits for the first. An environment that was left half-made is made anew.

    Args:
        tell: Called with a sentence when the environment has to be made, which takes a minute or so.

    Raises:
        ConfigurationError: It could not be made.
    """
    given = os.environ.get(ENVIRONMENT_VARIABLE)
    if given:
        if not (Path(given) / "bin" / "python").exists():
            raise ConfigurationError(f"{ENVIRONMENT_VARIABLE} is {given!r}, which is not a Python environment")
        return Path(given)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    digest = hashlib.sha256(LOCK_FILE.read_bytes() + version.encode()).hexdigest()[:12]
    folder = local_home() / f"emulators-{digest}"
    complete = folder / "complete"
    if complete.exists():
        return folder
    with _exclusive(local_home() / f"emulators-{digest}.lock"):
        if not complete.exists():
            tell("making the emulators' environment (once; about a minute)")
            shutil.rmtree(folder, ignore_errors=True)
            _create(folder)
            complete.touch()
    return folder
