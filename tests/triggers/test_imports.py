"""The layers: each rule of the import linter is broken once, on a copy, to see that it bites."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from triggers.manifest import ROOT

PACKAGES = ("common", "functions", "triggers")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("layers")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", target / "pyproject.toml")
    return target


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )


def test_layers_hold(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "0 broken" in done.stdout


BREAKING = {
    "Nothing imports a function": ("common/aso/kgr.py", "import functions.platform.health"),
    "Functions are independent of one another": ("functions/platform/docs.py", "import functions.platform.health"),
    "Only functions of search optimisation import its domain": ("common/platform/liveness.py", "import common.aso.kgr"),
    "Only functions of tenants import their domain": ("functions/platform/health.py", "import common.tenants"),
    "Only functions of the platform import its domain": ("common/version.py", "import common.platform.liveness"),
    "Setting changes back alone reaches the entities of every domain": (
        "common/platform/liveness.py",
        "import common.entity_classes",
    ),
    "What functions share knows nothing of what fires them": ("common/version.py", "from triggers import cron"),
    "Deployed code never imports the local cloud or the demonstration": (
        "triggers/served.py",
        "from triggers.local import environment",
    ),
    "Nothing imports the demonstration": ("triggers/local/environment.py", "import triggers.demo"),
    "Functions import no build tool": ("functions/platform/health.py", "from triggers import bundle"),
}


def test_each_rule_is_broken_here() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    assert {contract["name"] for contract in contracts} == set(BREAKING)


@pytest.mark.parametrize("rule", BREAKING)
def test_rule_bites(copy: Path, rule: str) -> None:
    name, line = BREAKING[rule]
    file = copy / name
    before = file.read_text(encoding="utf-8")
    file.write_text(f"{before}\n{line}\n", encoding="utf-8")
    try:
        done = lint(copy)
    finally:
        file.write_text(before, encoding="utf-8")
    assert done.returncode == 1
    assert f"{rule} BROKEN" in " ".join(done.stdout.split())


def test_every_domain_is_guarded() -> None:
    """A domain is a folder of functions; whoever adds one adds its rule."""
    domains = {folder.name for folder in (ROOT / "functions").iterdir() if (folder / "__init__.py").exists()}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    guarded = {name for contract in contracts for name in contract.get("protected_modules", [])}
    assert {f"common.{domain}" for domain in domains} <= guarded


def test_packages_export_nothing() -> None:
    """An ``__init__.py`` that imports would drag its whole package into every bundle."""
    for name in PACKAGES:
        for file in (ROOT / name).rglob("__init__.py"):
            assert not file.read_text(encoding="utf-8").strip(), file
