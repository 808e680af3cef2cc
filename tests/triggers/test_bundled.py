"""Every bundle alone: unpacked, in an environment with its requirements only, served as the framework does."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.operations import Operation
from triggers.bundle import Plan, plan_bundles, zip_bytes
from triggers.manifest import load_manifest

SCRIPT = Path(__file__).with_name("bundled.py")
ENTRIES = load_manifest()


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {plan.entry["name"]: plan for plan in plan_bundles()}


class Environments:
    """One environment per distinct set of requirements, made on demand, each with a process that calls bundles."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[bytes, subprocess.Popen[str]] = {}

    def call(self, plan: Plan, folder: Path, method: str, path: str, extra: Mapping[str, str]) -> Mapping[str, Any]:
        """Unpack a bundle into a folder and call its function, set up as in the cloud; return what came of it."""
        with zipfile.ZipFile(io.BytesIO(zip_bytes(plan.files))) as archive:
            archive.extractall(folder)
        environment = {
            "GOOGLE_CLOUD_PROJECT": "demo-bundles",
            "K_SERVICE": plan.entry["name"],
            "XYNERGY_FUNCTION_URL": "https://us-central1-demo-bundles.cloudfunctions.net/{function}",
            "XYNERGY_INVOKER": "{function}-invoker@demo-bundles.iam.gserviceaccount.com",
            "XYNERGY_CURSOR_KEY": "a-key-for-cursors-of-this-test-only",
            **extra,
        }
        asked = {"folder": str(folder), "entry_point": plan.entry["entry_point"], "method": method, "path": path}
        process = self._process(plan.files["requirements.txt"])
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**asked, "environment": environment}) + "\n")
        process.stdin.flush()
        answer: Mapping[str, Any] = json.loads(process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes.values():
            process.wait(timeout=30)
            assert process.stdout is not None
            process.stdout.close()

    def _process(self, requirements: bytes) -> subprocess.Popen[str]:
        if requirements not in self._processes:
            place = self._folder / str(len(self._processes))
            place.mkdir()
            (place / "requirements.txt").write_bytes(requirements)
            _uv("venv", "--python", sys.executable, str(place / "environment"))
            python = place / "environment" / "bin" / "python"
            _uv("pip", "sync", "--require-hashes", "--python", str(python), str(place / "requirements.txt"))
            self._processes[requirements] = subprocess.Popen(
                [str(python), "-I", "-X", "utf8", str(SCRIPT)],
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        return self._processes[requirements]


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environments]:
    made = Environments(tmp_path_factory.mktemp("bundles"))
    yield made
    made.close()


@pytest.mark.parametrize("name", [entry["name"] for entry in ENTRIES])
def test_bundle_answers_in_an_environment_of_its_own(
    name: str, plans: dict[str, Plan], environments: Environments, tmp_path: Path
) -> None:
    plan = plans[name]
    entry = plan.entry
    method = entry["method"] if entry["kind"] == "http" else "POST"
    answer = environments.call(plan, tmp_path, method, _path(entry), {})
    assert "failed" not in answer, answer["failed"]
    assert answer["shadowed"] == [], "a requirement provides a package of our names"
    assert answer["foreign"] == []
    if entry["kind"] == "http" and entry["public"]:
        assert answer["status"] == Operation(entry).bare_status, answer["body"]
    elif entry["kind"] == "http":
        assert answer["status"] == 401, answer["body"]
        assert answer["type"] == "application/problem+json"
    else:
        assert answer["status"] in {401, 403}, answer["body"]


@pytest.mark.parametrize(
    "variable", ["FIRESTORE_EMULATOR_HOST", "FIREBASE_AUTH_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"]
)
def test_bundle_refuses_to_start_in_the_cloud_with_an_emulator(
    variable: str, plans: dict[str, Plan], environments: Environments, tmp_path: Path
) -> None:
    """Clients of an emulator accept unsigned tokens: such a process must not come up at all."""
    plan = plans["platform-health"]
    answer = environments.call(plan, tmp_path, "GET", "/", {variable: "127.0.0.1:1"})
    assert f"{variable} set outside the local cloud" in answer["failed"]


def _path(entry: Mapping[str, Any]) -> str:
    if entry["kind"] != "http":
        return "/"
    count = entry["path"].count("{")
    return "/" + "/".join(["0197a3c2-5b7e-7d21-9c4e-3f8a1b2c4d5e"] * count)
