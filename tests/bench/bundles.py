"""Building every bundle: cold, warm, and with one module of ``common`` changed."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.report import Measurement
from tests.bench.stack import ROOT
from triggers.bundle import build_bundles

SOURCES = ("common", "functions", "triggers", "pyproject.toml", "requirements.lock")
TOUCHED = "common/breaker.py"


def _timed(root: Path, out: Path) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    bundles = build_bundles(root, out)
    return time.perf_counter() - started, bundles


def run() -> list[Measurement]:
    """Measure on a copy of the sources."""
    with tempfile.TemporaryDirectory() as name:
        root, out = Path(name) / "sources", Path(name) / "build"
        for source in SOURCES:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, root / source, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, root / source)
        cold, before = _timed(root, out)
        warm, same = _timed(root, out)
        if same != before:
            raise RuntimeError("a second build of the same sources differs")
        touched = root / TOUCHED
        touched.write_text(touched.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        changed, after = _timed(root, out)
    count = sum(after[name]["sha256"] != before[name]["sha256"] for name in before)
    return [
        Measurement(
            name=f"{len(before)} bundles, nothing changed",
            ours=f"{warm:.2f} s",
            peer=f"cold build: {cold:.2f} s",
            ratio=warm / cold,
        ),
        Measurement(
            name=f"{TOUCHED} changed: {count} bundles of {len(before)} are new",
            ours=f"{changed:.2f} s",
            peer=f"cold build: {cold:.2f} s",
            ratio=changed / cold,
        ),
    ]
