"""What a deployment would do, told without a cloud: from the bundles built here and a record of what is deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError, DeclarationError
from triggers.deploy.rollout.machine import WAVES, WHOLE, Unit
from triggers.deploy.rollout.programs import FOLDER, FUNCTION, Terraform, managed, shown
from triggers.deploy.rollout.run_admin import traffic_command

_VARIABLE = re.compile(r'^(\w+)\s*=\s*"([^"]*)"', re.MULTILINE)
OBJECT = re.compile(r"(?:^|/)(?P<name>[a-z0-9-]+)-(?P<hash>[0-9a-f]{16})\.zip$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundles:
    """Bundles by function.

    Attributes:
        hashes: First 16 digits of each content's SHA-256.
        source: Where they are from.
    """

    hashes: Mapping[str, str]
    source: str


def built(file: Path) -> Bundles:
    """Return the bundles that were built here.

    Raises:
        DeclarationError: None were built, or the file is torn.
    """
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return Bundles(hashes={name: each["sha256"][:16] for name, each in record.items()}, source=file.name)
    except OSError as error:
        raise DeclarationError(str(file), 1, "no bundles: run nox -s bundle") from error
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise DeclarationError(str(file), line, "this is no list of bundles") from error


def deployed(file: Path | None) -> Bundles:
    """Return the bundles that are deployed, from a state (``terraform show -json``) or an earlier ``bundles.json``.

    Raises:
        DeclarationError: The file is neither.
    """
    if file is None:
        return Bundles(hashes={}, source="nothing (no --deployed FILE): every function counts as new")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise DeclarationError(str(file), line, "this is neither a state nor a list of bundles") from error
    if isinstance(record, dict) and "values" in record:
        return Bundles(hashes=_of_state(record), source=f"the state {file.name}")
    return Bundles(hashes=built(file).hashes, source=f"the bundles {file.name}")


def _of_state(state: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for resource in managed(state["values"].get("root_module", {})):
        if resource["type"] == FUNCTION:
            source = resource["values"]["build_config"][0]["source"][0]["storage_source"][0]
            match = OBJECT.search(source["object"])
            found[resource["values"]["name"]] = match["hash"] if match else source["object"]
    return found


def changed(new: Bundles, old: Bundles) -> dict[str, str]:
    """Return the functions that would get a new revision, each with why."""
    found = {}
    for name, digest in sorted(new.hashes.items()):
        if name not in old.hashes:
            found[name] = "new"
        elif old.hashes[name] != digest:
            found[name] = f"code {old.hashes[name][:8]} -> {digest[:8]}"
    return found


def variables(file: str, folder: Path = FOLDER) -> dict[str, str]:
    """Return the texts of a file of variables; the project has to be one of them.

    Raises:
        ConfigurationError: There is no such file, or it names no project.
    """
    path = folder / file
    if not path.is_file():
        raise ConfigurationError(f"--var-file {file}: there is no {path}")
    found = dict(_VARIABLE.findall(path.read_text(encoding="utf-8")))
    if "project_id" not in found:
        raise ConfigurationError(f"--var-file {file}: it sets no project_id")
    return {"region": "us-central1", **found}


def lines(
    entries: Mapping[str, Mapping[str, Any]], why: Mapping[str, str], gone: Sequence[str], terraform: Terraform,
    region: str, watch: float,
) -> Iterator[str]:  # fmt: skip
    """Yield, in order, what a deployment would do and with which commands."""
    yield f"{len(why)} of {len(entries)} functions get a new revision, {len(gone)} are taken away"
    yield from (f"  - {name}: taken away" for name in gone)
    for wave, kind in enumerate(WAVES, 1):
        names = [name for name in sorted(why) if entries[name]["kind"] == kind]
        yield from (f"  {wave}. {kind:<9}{name:<44}{why[name]}" for name in names)
    if not why and not gone:
        yield "Terraform still plans: settings, permissions and indexes have no bundle"
    yield "$ " + shown(terraform.plan_command())
    yield "$ " + shown(terraform.apply_command())
    for name in _ordered(entries, why):
        yield from _steps(entries[name], why[name], region)
    if why:
        yield f"after each step to 50 %: {watch:g} s of watching; a failure sends every function above back"


def _ordered(entries: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> list[str]:
    return sorted(names, key=lambda name: (WAVES.index(entries[name]["kind"]), name))


def _steps(entry: Mapping[str, Any], why: str, region: str) -> Iterator[str]:
    unit = Unit(entry=entry, old="" if why == "new" else "PREVIOUS", new="CANDIDATE")
    if not unit.old:
        yield f"{unit.name}: the first revision takes all traffic when it is made; smoke test"
        return
    yield f"{unit.name}: marked at 0 %, smoke test, then"
    yield from (f"$ {shown(traffic_command(unit.name, unit.at(percent), region))}" for percent in unit.steps)
    assert unit.steps[-1] == WHOLE
