"""Bundle every function: its own files, its own requirements, and nothing else, as a zip named by its content.

The same source gives the same bytes on every machine: entries are sorted, stored uncompressed (compressors differ), and
carry a fixed time and mode. Terraform deploys a function again only if the name of its zip changes.
Run as ``python -m triggers.bundle``; writes ``build/bundles/*.zip`` and ``build/bundles.json``.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from common.errors import DeclarationError
from triggers.closure import Closure, Modules
from triggers.manifest import ROOT, Entry, build_manifest
from triggers.requirements import ALWAYS, Lock

RUNTIME = "python311"
FORMAT = "1"
"""Changes when the same source shall give other bundles."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment a zip can name."""

MAIN = '''"""Entry point of {name}."""

from triggers import runtime
from {module} import {entry_point}

runtime.start()  # a wrong environment stops the deployment, not the first request

__all__ = ["{entry_point}"]
'''


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What goes into one bundle.

    Attributes:
        entry: The function.
        files: Path in the zip to content.
        modules: Our own files among them.
        distributions: Distributions that the function imports.
        requirements: Number of distributions installed for it.
    """

    entry: Entry
    files: Mapping[str, bytes]
    modules: tuple[str, ...]
    distributions: frozenset[str]
    requirements: int

    @property
    def inputs(self) -> str:
        """Hash of everything the zip is made from."""
        digest = hashlib.sha256(FORMAT.encode())
        for name, content in sorted(self.files.items()):
            digest.update(f"\0{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


def plan_bundles(root: Path = ROOT, lock: Lock | None = None) -> list[Plan]:
    """Say for every function what goes into its bundle, without writing anything.

    Raises:
        DeclarationError: An import cannot be followed or belongs to no requirement.
    """
    modules, lock = Modules(root), lock or Lock(root)
    return [_plan(entry, modules.closure(entry["module"]), lock) for entry in build_manifest(root)]


def _plan(entry: Entry, closure: Closure, lock: Lock) -> Plan:
    distributions = lock.distributions(closure)
    return Plan(
        entry=entry,
        files={
            **closure.files,
            "main.py": MAIN.format_map(entry).encode(),
            "requirements.txt": lock.requirements(distributions).encode(),
        },
        modules=tuple(closure.files),
        distributions=distributions,
        requirements=len(lock.needed_by(distributions)),
    )


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return a zip whose bytes depend on nothing but the names and contents."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def build_bundles(root: Path = ROOT, out: Path | None = None, *, plans: Sequence[Plan] | None = None) -> dict[str, Any]:
    """Write the bundles that changed, drop those that nobody names any more, and return ``bundles.json``.

    Args:
        root: The repository.
        out: Folder to write into; ``build`` of the repository unless given.
        plans: What goes into the bundles, where it is already known.

    Raises:
        DeclarationError: See ``plan_bundles``.
    """
    out = out or root / "build"
    folder, cache_file = out / "bundles", out / "bundles.cache.json"
    folder.mkdir(parents=True, exist_ok=True)
    cache: dict[str, Any] = json.loads(cache_file.read_text(encoding="utf-8")) if cache_file.exists() else {}
    bundles: dict[str, Any] = {}
    for plan in plan_bundles(root) if plans is None else plans:
        inputs = plan.inputs
        known = cache.get(inputs)
        if known is None or not (folder / known["file"]).exists():
            known = _write(plan, folder)
        cache[inputs] = known
        bundles[plan.entry["name"]] = {**known, "inputs": inputs}
    for stale in {file.name for file in folder.glob("*.zip")} - {bundle["file"] for bundle in bundles.values()}:
        (folder / stale).unlink()
    used = {bundle.pop("inputs") for bundle in bundles.values()}
    cache_file.write_text(json.dumps({key: cache[key] for key in sorted(used)}), encoding="utf-8")
    (out / "bundles.json").write_text(json.dumps(bundles, indent=2) + "\n", encoding="utf-8")
    return bundles


def _write(plan: Plan, folder: Path) -> dict[str, Any]:
    content = zip_bytes(plan.files)
    digest = hashlib.sha256(content).hexdigest()
    name = f"{plan.entry['name']}-{digest[:16]}.zip"
    partial = folder / f"{name}.partial"
    partial.write_bytes(content)
    partial.replace(folder / name)
    return {
        "file": name,
        "sha256": digest,
        "entry_point": plan.entry["entry_point"],
        "runtime": RUNTIME,
        "size": len(content),
        "modules": list(plan.modules),
        "requirements": plan.requirements,
    }


def unused_dependencies(plans: Sequence[Plan], lock: Lock) -> list[str]:
    """Return direct dependencies of the project that no function imports."""
    used = ALWAYS.union(*(plan.distributions for plan in plans))
    return sorted(lock.direct - used)


def main() -> int:
    """Build the bundles; fail where the project depends on something that no function imports."""
    try:
        lock = Lock(ROOT)
        plans = plan_bundles(ROOT, lock)
        bundles = build_bundles(plans=plans)
    except DeclarationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    size = sum(bundle["size"] for bundle in bundles.values())
    sys.stdout.write(f"{len(bundles)} bundles, {size / 1024:.0f} KiB, in build/bundles\n")
    unused = unused_dependencies(plans, lock)
    if unused:
        sys.stderr.write(f"pyproject.toml: no function imports {', '.join(unused)}\n")
    return 1 if unused else 0


if __name__ == "__main__":
    raise SystemExit(main())
