"""Modules after an apply with made-up values: ``terraform test`` runs what ``guards`` holds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.terraform.plans import Configuration

GUARDS = Path(__file__).parent / "guards"
RUNS = re.compile(r'^run "', re.MULTILINE)


@pytest.fixture(scope="module")
def guarded(configuration: Configuration, tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """The configuration with the guards beside it, and the modules they apply."""
    copy = configuration.copy(tmp_path_factory.mktemp("guards") / "root")
    shutil.copytree(GUARDS, copy.folder / "tests")
    copy.succeed("init", "-no-color", "-input=false")
    return copy


def test_guards_are_formatted(guarded: Configuration) -> None:
    """Prevents changes of form in the middle of changes of content."""
    done = guarded.run("fmt", "-check", "-diff", "tests")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("guard", sorted(file.name for file in GUARDS.iterdir()))
def test_guards_hold(guarded: Configuration, guard: str) -> None:
    """Prevents a module whose parts refer to something else than to one another."""
    written = guarded.succeed("test", "-no-color", f"-filter=tests/{guard}")
    runs = len(RUNS.findall((GUARDS / guard).read_text(encoding="utf-8")))
    assert f"{runs} passed, 0 failed" in written


def test_a_broken_module_fails(guarded: Configuration, tmp_path: Path) -> None:
    """Prevents guards that pass whatever the module does."""
    broken = guarded.copy(tmp_path / "root")
    broken.replace(
        "modules/subscription/main.tf",
        "dead_letter_topic     = google_pubsub_topic.dead_letter.id",
        "dead_letter_topic     = var.topic",
    )
    done = broken.run("test", "-no-color", "-filter=tests/subscription.tftest.hcl")
    assert done.returncode == 1
    assert "Messages are set aside to another topic" in done.stdout + done.stderr
