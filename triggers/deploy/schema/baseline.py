"""The schemas that were released, kept in ``terraform/schemas.json``: what a declaration may still become.

The file holds the shape of every entity by version. A version that no release had yet follows its declaration; one that
was released is what stored documents and rows look like, and stays as it is: whoever changes the model writes the next
``schema_version`` beside it, and only such changes pass as old data survives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import DeclarationError
from triggers.deploy.schema.compare import Change, compare_shapes
from triggers.deploy.schema.declared import Place, Shape, place_of, place_of_field

BASELINE_FILE = Path(__file__).parents[3] / "terraform" / "schemas.json"

Versions = dict[str, dict[str, Any]]
Baseline = dict[str, Versions]


def load_baseline(file: Path = BASELINE_FILE) -> Baseline:
    """Return the recorded versions by name; empty where nothing was recorded yet.

    Raises:
        DeclarationError: The file is no baseline.
    """
    if not file.exists():
        return {}
    try:
        found: Baseline = json.loads(file.read_text(encoding="utf-8"))["schemas"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise DeclarationError(f"terraform/{file.name}", line, "this is no record of schemas") from error
    return found


def render(baseline: Baseline) -> str:
    """Return the file's text."""
    return json.dumps({"schemas": {name: baseline[name] for name in sorted(baseline)}}, indent=1) + "\n"


def where(change: Change) -> Place:
    """Return the line that a change stands on."""
    if change.of_model:
        return place_of_field(change.entity, change.part)
    return place_of(change.entity, change.part)


def renewed(baseline: Baseline, declared: Mapping[str, Shape]) -> Baseline:
    """Return the baseline as the declarations have it now.

    Raises:
        DeclarationError: A released shape changed and its version did not, or changed in a way that old data does not
            survive; names file and line.
    """
    for name, versions in baseline.items():
        if name not in declared and _released(versions):
            raise DeclarationError("terraform/schemas.json", 1, f"{name} was released and is not declared any more")
    return {name: _renewed(baseline.get(name, {}), shape) for name, shape in declared.items()}


def _released(versions: Versions) -> list[int]:
    return sorted(int(number) for number, record in versions.items() if record["released"])


def _renewed(versions: Versions, shape: Shape) -> Versions:
    numbers, version = _released(versions), shape.schema_version
    kept = {str(number): versions[str(number)] for number in numbers}
    newest = numbers[-1] if numbers else 0
    if numbers and version not in {newest, newest + 1}:
        detail = f"{shape.name}: schema_version is {version}; {newest} was released, so {newest} or {newest + 1} is due"
        raise place_of(shape.name, "schema_version").refuse(detail)
    if not numbers:
        return {str(version): {"released": None, **shape.as_json()}}
    released = Shape.from_json(shape.name, newest, kept[str(newest)])
    changes = compare_shapes(released, shape)
    for change in changes:
        if change.breaking:
            raise where(change).refuse(f"{shape.name}: {change.what}")
    if version == newest:
        if shape.as_json() != released.as_json():
            told = changes[0] if changes else None
            detail = f"{shape.name}: {told.what if told else 'the schema changed'}: write schema_version={version + 1}"
            raise (where(told) if told else place_of(shape.name)).refuse(detail)
        return kept
    return {**kept, str(version): {"released": None, **shape.as_json()}}


def release(baseline: Baseline, version: str) -> Baseline:
    """Return the baseline with every version that was not released yet marked as part of a release."""
    return {
        name: {number: {**record, "released": record["released"] or version} for number, record in versions.items()}
        for name, versions in baseline.items()
    }
