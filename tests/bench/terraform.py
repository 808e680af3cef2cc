"""From declarations to a plan: manifest, bundles and Terraform's plan for today's functions and for 500."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.bench.report import Measurement
from tests.bench.stack import ROOT
from tests.terraform.plans import INSTALL, prepare
from tests.terraform.provider_stub import provider_stub
from triggers.bundle import build_bundles
from triggers.manifest import Entry, build_manifest, render

SOURCES = ("common", "functions", "terraform", "triggers", "pyproject.toml", "requirements.lock")
MANY = 500
TOUCHED = "common/breaker.py"
"""A module that many functions share."""

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """What one number of functions took, in seconds.

    Attributes:
        functions: Their number.
        manifest: Reading the declarations.
        bundles: Building every bundle from nothing.
        plan: Terraform's plan of the production environment from nothing.
        again: Building the bundles again after a shared module changed.
        changed: How many of them changed.
    """

    functions: int
    manifest: float
    bundles: float
    plan: float
    again: float
    changed: int


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _copy_sources(root: Path) -> None:
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, root / source, ignore=shutil.ignore_patterns("__pycache__", ".terraform*"))
        else:
            shutil.copy(ROOT / source, root / source)


def _multiply(root: Path, count: int) -> None:
    """Add copies of the HTTP functions, under paths and names of their own, until there are ``count`` functions."""
    entries = build_manifest(root)
    originals = itertools.cycle(entry for entry in entries if entry["kind"] == "http")
    for number, entry in enumerate(itertools.islice(originals, count - len(entries))):
        source, name = root / entry["file"], entry["entry_point"]
        text = source.read_text(encoding="utf-8")
        text = text.replace(f"def {name}(", f"def {name}_c{number}(").replace('"/v1/', f'"/v1/c{number}/')
        source.with_name(f"{source.stem}_c{number}.py").write_text(text, encoding="utf-8")


def _write_declarations(root: Path, entries: list[Entry]) -> None:
    """Write the manifest, and of the OpenAPI document as much as the front door reads."""
    (root / "triggers" / "manifest.json").write_text(render(entries), encoding="utf-8")
    paths: dict[str, dict[str, object]] = {}
    for entry in entries:
        if entry["kind"] == "http":
            paths.setdefault(entry["path"], {})[entry["method"].lower()] = {"x-function-name": entry["name"]}
    (root / "triggers" / "openapi.json").write_text(json.dumps({"paths": paths}), encoding="utf-8")


def measure(count: int | None) -> Times:
    """Measure on a copy of the sources.

    Args:
        count: How many functions; None for those that there are.
    """
    binary = shutil.which("terraform")
    if binary is None:
        raise SystemExit(INSTALL)
    with tempfile.TemporaryDirectory() as folder, provider_stub() as environment:
        root = Path(folder) / "sources"
        root.mkdir()
        _copy_sources(root)
        if count is not None:
            _multiply(root, count)
        manifest, entries = _timed(lambda: build_manifest(root))
        _write_declarations(root, entries)
        bundles, before = _timed(lambda: build_bundles(root, root / "build"))
        configuration = prepare(Path(folder) / "configuration", binary, environment, root)
        plan, inventory = _timed(lambda: configuration.plan("prod"))
        if len(inventory.of("google_cloudfunctions2_function")) != len(entries):
            raise RuntimeError("the plan has not one function per entry")
        touched = root / TOUCHED
        touched.write_text(touched.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        again, after = _timed(lambda: build_bundles(root, root / "build"))
    changed = sum(after[name]["sha256"] != before[name]["sha256"] for name in before)
    return Times(functions=len(entries), manifest=manifest, bundles=bundles, plan=plan, again=again, changed=changed)


def run() -> list[Measurement]:
    """Compare many functions with today's."""
    few, many = measure(None), measure(MANY)
    lines = [
        Measurement(
            name=f"{what}, {many.functions} functions",
            ours=f"{ours:.1f} s",
            peer=f"{few.functions} functions: {peer:.1f} s",
            ratio=ours / peer,
        )
        for what, ours, peer in (
            ("manifest", many.manifest, few.manifest),
            ("bundles", many.bundles, few.bundles),
            ("plan", many.plan, few.plan),
        )
    ]
    return lines + [
        Measurement(
            name=f"{TOUCHED} changed: {times.changed} bundles of {times.functions} are new",
            ours=f"{times.again:.1f} s",
            peer=f"all from nothing: {times.bundles:.1f} s",
            ratio=times.again / times.bundles,
        )
        for times in (few, many)
    ]
