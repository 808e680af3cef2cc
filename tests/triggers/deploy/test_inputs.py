"""What a deployment reads is refused at its line: a manifest that was torn or edited, an index that no query uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import DeclarationError
from triggers.deploy.indexes import declared_indexes, idle_indexes, main
from triggers.deploy.inputs import checked_manifest
from triggers.manifest import MANIFEST_FILE, load_manifest, render

SECOND = load_manifest()[1]["name"]


def test_the_manifest_is_read_as_it_is() -> None:
    assert checked_manifest() == load_manifest()


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "a number out of range": (
        lambda entry: entry.update(memory=1),
        '"memory": 1,',
        f"{SECOND}.memory: 1 is not one of",
    ),
    "a field that nobody knows": (lambda entry: entry.update(memori=256), '"name"', "memori"),
    "a field that is missing": (lambda entry: entry.pop("timeout"), "{", "'timeout' is a required property"),
    "a word for a number": (
        lambda entry: entry.update(timeout="long"),
        '"timeout": "long"',
        f"{SECOND}.timeout: 'long'",
    ),
    "an unknown permission": (
        lambda entry: entry["needs"].update({"firestore:erase": "for the sake of order"}),
        '"needs": {',
        "'firestore:erase'",
    ),
    "a name that is there twice": (lambda entry: entry.update(name=load_manifest()[0]["name"]), "{", "is there twice"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_manifest_is_refused_at_its_line(tmp_path: Path, mistake: str) -> None:
    change, on, told = MISTAKES[mistake]
    entries = load_manifest()[:4]
    change(entries[1])
    file = tmp_path / "manifest.json"
    file.write_text(render(entries), encoding="utf-8")
    with pytest.raises(DeclarationError) as refused:
        checked_manifest(file)
    assert told in str(refused.value)
    lines = file.read_text(encoding="utf-8").splitlines()
    begins = [number for number, line in enumerate(lines, 1) if line == "    {"]
    assert begins[1] <= refused.value.line < begins[2], "within the entry"
    near = lines[refused.value.line - 1] + lines[refused.value.line]
    assert on in near, near


def test_a_torn_manifest_is_refused_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    text = MANIFEST_FILE.read_text(encoding="utf-8").splitlines()[:50]
    file.write_text("\n".join(text), encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"^triggers/manifest.json:5\d: this is no JSON"):
        checked_manifest(file)
    file.write_text(json.dumps({"operations": []}), encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"^triggers/manifest.json:1: manifest: "):
        checked_manifest(file)


def test_every_index_is_named_by_a_query() -> None:
    assert idle_indexes() == []
    assert len(declared_indexes()) > 20


SOURCES = {
    "common/shop/entities.py": """\
from common.entity import Entity, Index

THINGS = Entity(
    name="thing",
    indexes=(
        Index(fields=("tenant_id", "colour", "-created_at")),
        Index(fields=("tenant_id", "weight", "-created_at")),
    ),
)
""",
    "common/shop/things.py": """\
from common.shop.entities import THINGS
from common.shop.models import ThingQuery


def listed(context, query):
    filters = [("colour", "==", query.colour)]
    return Repository(THINGS, context).page(filters, ("-created_at",))
""",
    "common/shop/models.py": "class ThingQuery:\n    size: int = 0\n",
    "common/other.py": 'HEAVY = ("weight", "-created_at")\n',
}


def test_an_index_that_no_query_uses_is_refused_at_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That other code knows a field of that name does not help; that a query names it in its model does."""
    for name, text in SOURCES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert main([], tmp_path) == 1
    told = capsys.readouterr().err
    assert told == "common/shop/entities.py:7: no query uses the index tenant_id, weight, -created_at\n"
    (tmp_path / "common" / "shop" / "models.py").write_text(
        "class ThingQuery:\n    weight: int = 0\n", encoding="utf-8"
    )
    assert main([], tmp_path) == 0
