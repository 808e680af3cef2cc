"""Read the generated manifest for tools that trust nothing: torn, hand-edited or older files are refused at their line.

``nox -s manifest`` writes the file from declarations and refuses mistakes there. What deploys and reckons reads the
file, which a merge may have torn; it checks what it reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import DeclarationError
from triggers.manifest import MANIFEST_FILE, PERMISSION, SCHEMA_FILE, Entry

NAME = "triggers/manifest.json"


def checked_manifest(file: Path = MANIFEST_FILE) -> list[Entry]:
    """Return the entries of the manifest.

    Raises:
        DeclarationError: The file is no manifest, an entry breaks the schema, a permission does not exist, or a name is
            there twice; names the line.
    """
    text = file.read_text(encoding="utf-8")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DeclarationError(NAME, error.lineno, f"this is no JSON: {error.msg}") from error
    for line, detail in mistakes(text, document):
        raise DeclarationError(NAME, line, detail)
    functions: list[Entry] = document["functions"]
    return functions


def mistakes(text: str, document: Any) -> Iterator[tuple[int, str]]:
    """Yield line and detail of everything that is wrong with a manifest."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    # The deepest error is the cause; a field that is refused also makes the whole entry look unknown.
    deepest = sorted(validator.iter_errors(document), key=lambda error: -len(error.path))
    if deepest:
        path = list(deepest[0].path)
        yield _line(text, document, path), f"{_where(document, path)}: {deepest[0].message}"
        return
    seen: set[str] = set()
    for index, entry in enumerate(document["functions"]):
        if entry["name"] in seen:
            yield _line(text, document, ["functions", index]), f"{entry['name']} is there twice"
        seen.add(entry["name"])
        for permission in entry["needs"]:
            if PERMISSION.fullmatch(permission) is None:
                path = ["functions", index, "needs", permission]
                yield _line(text, document, path), f"{entry['name']}: there is no permission {permission!r}"


def _where(document: Any, path: Sequence[str | int]) -> str:
    if len(path) > 1 and isinstance(document, Mapping):
        entry = document["functions"][path[1]]
        name = entry.get("name", f"function {path[1]}") if isinstance(entry, Mapping) else f"function {path[1]}"
        return ".".join([str(name), *(str(step) for step in path[2:])])
    return "manifest"


def _line(text: str, document: Any, path: Sequence[str | int]) -> int:
    """Return the line of a path: that of the deepest key that can be told, in the file as it is written."""
    lines = text.splitlines()
    if len(path) < 2 or not isinstance(path[1], int):
        return 1
    start = _entry_line(lines, document, path[1])
    for step in path[2:]:
        mark = f"{json.dumps(str(step))}:"
        start = next((at for at in range(start, len(lines)) if lines[at].strip().startswith(mark)), start)
    return start + 1


def _entry_line(lines: Sequence[str], document: Any, index: int) -> int:
    """Return the index of the line on which an entry begins; entries are counted, for a name may be missing."""
    begins = [at for at, line in enumerate(lines) if line == "    {"]
    if len(begins) == len(document["functions"]):
        return begins[index]
    name = json.dumps(document["functions"][index].get("name", ""))
    return next((at for at, line in enumerate(lines) if f'"name": {name}' in line), 0)
