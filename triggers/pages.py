"""Serve a committed file as an answer that browsers and proxies may keep for a while."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

from common.answers import Answer, Download


@functools.cache
def _content(file: Path) -> tuple[bytes, str]:
    content = file.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def committed(file: Path, content_type: str, headers: Mapping[str, str]) -> Answer[Download]:
    """Return the file's bytes with an entity tag of their own."""
    content, etag = _content(file)
    return Answer(
        content=Download(chunks=[content], content_type=content_type, filename=None),
        headers={"ETag": etag, "Cache-Control": "public, max-age=300", **headers},
    )
