"""The key-encryption key of the local cloud: a file of its own folder, which nobody else may read."""

from __future__ import annotations

import os
from pathlib import Path

from common.crypto.wrapping import key_line

NAME = "key-encryption-keys"


def key_file(folder: Path) -> Path:
    """Return the file in a folder; it is made with one key where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder.absolute() / NAME
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(key_line("1"))
    return file
