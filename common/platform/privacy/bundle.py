"""The file of an access export: a ZIP with one file of JSON lines for each store, and a manifest that explains them.

It is written as it is read, in memory for one chunk: the archive is made for a stream that cannot go back (its sizes
follow the data). Records come in the order of the stores; the manifest is last, because only then the counts are known.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, Any, cast

from common import retention
from common.model import rfc3339
from common.platform.privacy.stores.port import Exported
from common.registry import EntityRecord, FactsRecord, entities, facts

CHUNK = 262_144
"""Bytes that are collected before they go on."""
FORMAT = "xynergy-person-export/1"
DATE = (1980, 1, 1, 0, 0, 0)
"""Time of every entry, so that equal data gives equal bytes but for the manifest."""

README = """\
This archive holds what is kept about one person.

manifest.json     what is in here: for each kind of record its purpose, how long it is kept, and how many there are
<store>.ndjson    the records, one JSON object a line: "kind" names the kind of record, "data" is the record

"(another person)" stands where somebody else's data was. Secrets, such as tokens, are never exported.
"""


class _Buffer:
    """A file that is only written to, and emptied from time to time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, content: bytes) -> int:
        """Take bytes."""
        self._parts.append(bytes(content))
        self.size += len(content)
        return len(content)

    def flush(self) -> None:
        """Do nothing; whoever reads takes what is there."""

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        content, self._parts, self.size = b"".join(self._parts), [], 0
        return content


class Bundle:
    """An archive being made.

    Attributes:
        counts: Records by store and kind.
        size: Bytes so far.
    """

    def __init__(self, sources: Iterable[tuple[str, Callable[[], Iterator[Exported]]]], told: dict[str, Any]) -> None:
        self._sources = list(sources)
        self._told = told
        self._digest = hashlib.sha256()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.size = 0

    @property
    def records(self) -> int:
        """Records so far."""
        return sum(self.counts.values())

    @property
    def sha256(self) -> str:
        """Digest of the bytes so far."""
        return self._digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the archive, once."""
        for chunk in self._written():
            if chunk:
                self.size += len(chunk)
                self._digest.update(chunk)
                yield chunk

    def _written(self) -> Iterator[bytes]:
        buffer = _Buffer()
        with zipfile.ZipFile(cast("IO[bytes]", buffer), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_entry("README.txt"), README)
            for name, source in self._sources:
                with archive.open(_entry(f"{name}.ndjson"), "w", force_zip64=True) as file:
                    for record in source():
                        self.counts[name, record.kind] += 1
                        file.write(_line({"kind": record.kind, "data": record.data}))
                        if buffer.size >= CHUNK:
                            yield buffer.taken()
            manifest = json.dumps(self._manifest(), ensure_ascii=False, indent=2)
            archive.writestr(_entry("manifest.json"), manifest)
        yield buffer.taken()

    def _manifest(self) -> dict[str, Any]:
        kinds = [
            {"store": store, "kind": kind, "records": number, **about(kind)}
            for (store, kind), number in sorted(self.counts.items())
        ]
        return {
            "format": FORMAT,
            "made_at": rfc3339(datetime.now(UTC)),
            **self._told,
            "records": self.records,
            "kinds": kinds,
        }


def about(kind: str) -> dict[str, Any]:
    """Return purpose, retention and personal fields of a kind of record."""
    declared = _declared(kind)
    if declared is None:
        return {"purpose": OTHER.get(kind, "A copy of what other records say."), "retention": None, "fields": []}
    return {
        "purpose": declared.purpose,
        "retention": retention_of(declared.retention),
        "fields": [{"field": each.field, "kind": each.kind} for each in declared.personal],
    }


OTHER = {
    "traces": "Which documents the person wrote last: the technical record of a change.",
    "file": "Files that the person's jobs made, or that name the person.",
}


def retention_of(name: str) -> dict[str, Any]:
    """Return a class of retention as people read it."""
    found = retention.CLASSES[name]
    return {"class": name, "days": found.days, "reason": found.reason}


def _declared(kind: str) -> EntityRecord | FactsRecord | None:
    """Return what a kind of record is declared as: by its name, or by that of its table."""
    if kind in entities():
        return entities()[kind]
    declared: list[EntityRecord | FactsRecord] = [*entities().values(), *facts().values()]
    for each in declared:
        if each.table is not None and kind in {each.table.name, f"{each.table.name}_changes"}:
            return each
    return None


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace") + b"\n"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
