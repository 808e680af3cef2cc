"""Import time and installed size of every bundle, each in an environment that holds only its own requirements.

A function cannot do without the clients it calls, so its peer is an interpreter that imports just those (and the
framework and pydantic), in the same environment. The size is compared with that of functions-framework alone.
Times are of the processor: importing is work of one thread from warm files, and other processes disturb the clock.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import Measurement
from tests.bench.stack import ROOT
from triggers.bundle import Plan, plan_bundles
from triggers.requirements import Lock

ROUNDS = 3
CLIENTS = (
    "functions_framework",
    "pydantic.main",  # pydantic itself loads nothing until it is asked for
    "google.cloud.firestore",
    "google.cloud.bigquery",
    "google.cloud.pubsub_v1",
    "google.cloud.tasks_v2",
    "google.cloud.storage",
    "redis",
)
TIMER = """\
import json, sys, time
started = time.process_time()
for name in sys.argv[1:]:
    __import__(name)
seconds = time.process_time() - started
print(json.dumps({"seconds": seconds, "modules": sorted(sys.modules)}))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one function's import costs.

    Attributes:
        name: The function.
        kind: What fires it.
        seconds: Median processor time of its import.
        clients: The same for just the clients it imports.
        size: Installed bytes of its requirements and files.
    """

    name: str
    kind: str
    seconds: float
    clients: float
    size: int


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *arguments], check=True)


def _environment(place: Path, requirements: bytes) -> Path:
    place.mkdir()
    (place / "requirements.txt").write_bytes(requirements)
    _uv("venv", "--python", sys.executable, str(place / "environment"))
    python = place / "environment" / "bin" / "python"
    arguments = ["--python", str(python), "--require-hashes", "--compile-bytecode"]
    _uv("pip", "sync", *arguments, str(place / "requirements.txt"))
    return python


def _size(place: Path) -> int:
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file() and not file.is_symlink())


def _timed(python: Path, folder: Path, *modules: str) -> tuple[float, list[str]]:
    command = [str(python), "-c", TIMER, *modules]
    environment = {"XYNERGY_ENVIRONMENT": "cloud", "GOOGLE_CLOUD_PROJECT": "bench", "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return answer["seconds"], answer["modules"]


def _cost(plan: Plan, python: Path, folder: Path, installed: int) -> Cost:
    for name, content in plan.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    _, loaded = _timed(python, folder, "main")
    clients = [name for name in CLIENTS if name in loaded]
    rounds = [(_timed(python, folder, "main")[0], _timed(python, folder, *clients)[0]) for _ in range(ROUNDS)]
    return Cost(
        name=plan.entry["name"],
        kind=plan.entry["kind"],
        seconds=statistics.median(one for one, _ in rounds),
        clients=statistics.median(one for _, one in rounds),
        size=installed + sum(map(len, plan.files.values())),
    )


def _costs(folder: Path, plans: list[Plan]) -> Iterator[Cost]:
    environments: dict[bytes, tuple[Path, int]] = {}
    for plan in plans:
        requirements = plan.files["requirements.txt"]
        if requirements not in environments:
            place = folder / f"set-{len(environments)}"
            environments[requirements] = (_environment(place, requirements), _size(place / "environment" / "lib"))
        python, installed = environments[requirements]
        source = folder / plan.entry["name"]
        source.mkdir()
        yield _cost(plan, python, source, installed)


def run() -> list[Measurement]:
    """Measure every bundle, the framework alone first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plans = plan_bundles()
        bare_python = _environment(folder / "bare", Lock(ROOT).requirements({"functions-framework"}).encode())
        bare_size = _size(folder / "bare" / "environment" / "lib")
        _timed(bare_python, folder, "functions_framework")
        bare = statistics.median(_timed(bare_python, folder, "functions_framework")[0] for _ in range(ROUNDS))
        costs = sorted(_costs(folder, plans), key=lambda cost: -cost.seconds / cost.clients)
    return [*(_line(cost) for cost in costs), *_against_bare(costs, bare, bare_size)]


def _line(cost: Cost) -> Measurement:
    ratio = cost.seconds / cost.clients
    is_http = cost.kind == "http"
    return Measurement(
        name=f"import of {cost.name} ({cost.kind})",
        ours=f"{cost.seconds * 1000:.0f} ms",
        peer=f"its clients: {cost.clients * 1000:.0f} ms",
        ratio=ratio,
        aim="at most 1.3" if is_http else "",
        met=ratio <= 1.3 if is_http else None,
    )


def _against_bare(costs: list[Cost], bare: float, bare_size: int) -> Iterator[Measurement]:
    median = statistics.median(cost.seconds for cost in costs)
    yield Measurement(
        name="import, median of all bundles",
        ours=f"{median * 1000:.0f} ms",
        peer=f"functions-framework alone: {bare * 1000:.0f} ms",
        ratio=median / bare,
    )
    sizes: Mapping[str, int] = {cost.name: cost.size for cost in costs}
    for name in (min(sizes, key=lambda one: sizes[one]), max(sizes, key=lambda one: sizes[one])):
        yield Measurement(
            name=f"installed size of {name}",
            ours=f"{sizes[name] / 1e6:.0f} MB",
            peer=f"functions-framework alone: {bare_size / 1e6:.0f} MB",
            ratio=sizes[name] / bare_size,
        )
