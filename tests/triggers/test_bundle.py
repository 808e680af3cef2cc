"""Bundles: equal bytes for equal sources, no more than their function needs; ``test_bundled`` calls each."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from importlib import metadata
from pathlib import Path

import grimp
import pytest

from common.errors import DeclarationError
from triggers.bundle import Plan, build_bundles, plan_bundles, unused_dependencies, zip_bytes
from triggers.closure import FIRST_PARTY, Modules
from triggers.manifest import ROOT, load_manifest
from triggers.requirements import DISTRIBUTIONS, Lock, read_lock

ENTRIES = load_manifest()


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {plan.entry["name"]: plan for plan in plan_bundles()}


def copy_of_repository(target: Path, moment: float) -> Path:
    """Copy the sources to another path with other times."""
    target.mkdir()
    for name in FIRST_PARTY:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copyfile(ROOT / name, target / name)
    for file in target.rglob("*"):
        os.utime(file, (moment, moment))
    return target


def zips(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (out / "bundles").glob("*.zip")}


def test_rebuilding_is_byte_identical_elsewhere_and_later(tmp_path: Path) -> None:
    first = copy_of_repository(tmp_path / "here", 1_000_000_000)
    (tmp_path / "elsewhere").mkdir()
    second = copy_of_repository(tmp_path / "elsewhere" / "clone", 1_700_000_000)
    assert build_bundles(first) == build_bundles(second)
    assert zips(first / "build") == zips(second / "build")


def test_touching_one_module_changes_only_its_dependants(tmp_path: Path) -> None:
    root = copy_of_repository(tmp_path / "copy", 1_000_000_000)
    before = build_bundles(root)
    inodes = {file.name: file.stat().st_ino for file in (root / "build" / "bundles").glob("*.zip")}
    touched = root / "common" / "pagination.py"
    touched.write_text(touched.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    after = build_bundles(root)
    changed = {name for name in before if before[name]["file"] != after[name]["file"]}
    assert changed == dependants()["common.pagination"]
    assert changed
    assert changed != set(before)
    kept = {name: (root / "build" / "bundles" / name).stat().st_ino for name in inodes if name in zips(root / "build")}
    assert kept.items() <= inodes.items(), "an unchanged bundle was written again"
    assert len(zips(root / "build")) == len(after), "an outdated bundle was left behind"


def dependants() -> dict[str, set[str]]:
    """Return the functions that need each module, as the import linter's graph has it: not by our own reader."""
    graph = grimp.build_graph(*FIRST_PARTY, exclude_type_checking_imports=True, cache_dir=None)
    found: dict[str, set[str]] = {name: set() for name in graph.modules}
    for entry in ENTRIES:
        for name in {entry["module"], *graph.find_upstream_modules(entry["module"])}:
            found[name].add(entry["name"])
    return found


def test_each_bundle_holds_exactly_what_its_function_needs(plans: dict[str, Plan]) -> None:
    needed = dependants()
    for name, plan in plans.items():
        ours = {
            file.removesuffix(".py").replace("/", ".")
            for file in plan.modules
            if file.endswith(".py") and not file.endswith("__init__.py")
        }
        expected = {module for module, names in needed.items() if name in names and _is_plain(module)}
        assert ours == expected, name


def _is_plain(module: str) -> bool:
    return not (ROOT / Path(*module.split(".")) / "__init__.py").exists()


def test_data_files_travel_with_the_module_that_reads_them(plans: dict[str, Plan]) -> None:
    assert "triggers/openapi.json" in plans["platform-openapi"].modules
    assert "triggers/docs.html" in plans["platform-docs"].modules
    assert "triggers/openapi.json" not in plans["platform-docs"].modules
    for plan in plans.values():
        assert ("common/registry.py" in plan.modules) == ("common/entities.json" in plan.modules)


def test_no_bundle_holds_tests_or_the_local_cloud(plans: dict[str, Plan]) -> None:
    for plan in plans.values():
        for file in plan.modules:
            assert not file.startswith(("tests/", "triggers/local", "triggers/demo", "build/")), plan.entry["name"]


def test_zip_is_the_same_whatever_the_order_of_its_files() -> None:
    files = {"b.py": b"2", "a/b.py": b"1", "main.py": b""}
    content = zip_bytes(files)
    assert content == zip_bytes(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == sorted(files)
        for info in archive.infolist():
            assert (info.date_time, info.external_attr >> 16) == ((1980, 1, 1, 0, 0, 0), 0o100644)


def test_requirements_are_hashed_and_name_no_index(plans: dict[str, Plan]) -> None:
    for plan in plans.values():
        text = plan.files["requirements.txt"].decode()
        for name, pinned in read_lock(text).items():
            assert "--hash=sha256:" in pinned.text, name
        assert "://" not in text
        assert "index" not in text.replace("\n", " ").split("--hash", 1)[0]
        assert "functions-framework==" in text
        for heavy in ("pyarrow", "numpy", "pandas", "pytest", "fastapi", "mypy"):
            assert f"\n{heavy}==" not in f"\n{text}", plan.entry["name"]


def test_every_dependency_of_the_project_is_used(plans: dict[str, Plan]) -> None:
    assert unused_dependencies(list(plans.values()), Lock(ROOT)) == []


@pytest.mark.parametrize("prefix", DISTRIBUTIONS)
def test_table_of_distributions_agrees_with_what_is_installed(prefix: str) -> None:
    place = prefix.replace(".", "/")
    wanted = (f"{place}.py", f"{place}/", f"{place}.cpython")
    owners = {
        distribution.metadata["Name"].lower().replace("_", "-")
        for distribution in metadata.distributions()
        if any(str(file).startswith(wanted) for file in distribution.files or ())
    }
    assert owners == {DISTRIBUTIONS[prefix]}


def test_import_without_requirement_is_refused_with_its_place(tmp_path: Path) -> None:
    root = copy_of_repository(tmp_path / "copy", 1_000_000_000)
    (root / "common" / "version.py").write_text('"""V."""\n\nimport hypothesis\n', encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"common/version\.py:3: hypothesis belongs to no requirement"):
        plan_bundles(root)


BREAKING = {
    "local cloud": ("from triggers.local import emulators", "must not reach a deployed function"),
    "missing module": ("from common import nothing_like_it", "packages export nothing"),
    "missing package": ("import common.nothing.at_all", "there is no module common.nothing.at_all"),
    "dynamic import": ("import importlib\nimportlib.import_module('x')", "cannot be followed"),
    "heavy client": ("from firebase_admin import firestore", "must not be imported by a function"),
    "data by variable": ("Path(__file__).with_name(name)", "takes a literal"),
    "missing data": ("Path(__file__).with_name('none.json')", "does not exist"),
}


@pytest.mark.parametrize(("code", "words"), BREAKING.values(), ids=BREAKING)
def test_what_cannot_be_bundled_is_refused(tmp_path: Path, code: str, words: str) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "__init__.py").touch()
    (tmp_path / "common" / "thing.py").write_text(code, encoding="utf-8")
    with pytest.raises(DeclarationError, match=words) as caught:
        Modules(tmp_path).closure("common.thing")
    assert caught.value.file == "common/thing.py"


def test_imports_are_followed_wherever_they_run(tmp_path: Path) -> None:
    sources = {
        "__init__": "",
        "start": "from common import side\nif TYPE_CHECKING:\n    from common import typed\n",
        "side": "def later():\n    from .deep import thing\n    import common.rare\n",
        "deep/__init__": "",
        "deep/thing": "from .. import up\n",
        "up": "",
        "rare": "",
        "typed": "",
        "unused": "",
    }
    for name, text in sources.items():
        file = tmp_path / "common" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    files = set(Modules(tmp_path).closure("common.start").files)
    assert files == {f"common/{name}.py" for name in sources} - {"common/typed.py", "common/unused.py"}
