"""Runs inside the environment of some bundles: serves the function of each as the framework does and calls it once.

Called as ``python -I bundled.py`` with the interpreter of an environment that holds the bundles' requirements only. It
reads JSON objects, one a line (folder, entry point, method, path, environment), and answers each with one. Every bundle
has a process of its own, forked when the packages of the environment are imported: that takes longer than all else.
It imports nothing of the repository.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGES = (
    "functions_framework",
    "pydantic",
    "google.cloud.firestore",
    "google.cloud.bigquery",
    "google.cloud.storage",
    "google.cloud.tasks_v2",
    "google.cloud.pubsub_v1",
    "redis",
)
"""What takes long to import, where an environment has it."""


def served(folder: str, entry_point: str, method: str, path: str) -> dict[str, Any]:
    """Serve, call, and return the status, the body, and where every loaded module came from."""
    os.chdir(folder)
    shadowed = [name for name in ("common", "functions", "triggers", "tests") if importlib.util.find_spec(name)]
    from functions_framework import create_app

    app = create_app(target=entry_point, source=str(Path(folder, "main.py")))
    answer = app.test_client().open(path, method=method)
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    places = {str(Path(file).resolve()) for file in files if file}
    allowed = (str(Path(folder).resolve()), sys.prefix, sys.base_prefix, str(Path(__file__).resolve()))
    return {
        "status": answer.status_code,
        "type": answer.headers.get("Content-Type", ""),
        "body": answer.get_data(as_text=True)[:2000],
        "shadowed": shadowed,
        "foreign": sorted(place for place in places if not place.startswith(allowed)),
    }


def forked(asked: Mapping[str, Any]) -> str:
    """Return what a process of its own answers, as JSON; ``failed`` is the traceback of one that does not."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)  # logs go to standard output, where the answers are read
        os.environ.update(asked["environment"])
        try:
            told = served(asked["folder"], asked["entry_point"], asked["method"], asked["path"])
        except BaseException:  # noqa: BLE001  # told, and the process ends here
            told = {"failed": traceback.format_exc()}
        with os.fdopen(writing, "w") as answer:
            json.dump(told, answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text or json.dumps({"failed": "the process ended without a word"})


def main() -> None:
    """Answer line by line until there are no more."""
    for name in PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        sys.stdout.write(forked(json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
