"""Runs inside the environment of one bundle: serve its function as the framework does and call it once.

Called as ``python -I bundled.py <folder> <entry point> <method> <path> <body file or ->`` with the interpreter of an
environment that holds the bundle's requirements only; prints one JSON object. It imports nothing of the repository.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path


def main(folder: str, entry_point: str, method: str, path: str) -> None:
    """Serve, call, and tell the status, the body, and where every loaded module came from."""
    os.chdir(folder)
    shadowed = [name for name in ("common", "functions", "triggers", "tests") if importlib.util.find_spec(name)]
    from functions_framework import create_app

    app = create_app(target=entry_point, source=str(Path(folder, "main.py")))
    answer = app.test_client().open(path, method=method)
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    places = {str(Path(file).resolve()) for file in files if file}
    allowed = (str(Path(folder).resolve()), sys.prefix, sys.base_prefix, str(Path(__file__).resolve()))
    told = {
        "status": answer.status_code,
        "type": answer.headers.get("Content-Type", ""),
        "body": answer.get_data(as_text=True)[:2000],
        "shadowed": shadowed,
        "foreign": sorted(place for place in places if not place.startswith(allowed)),
    }
    sys.stdout.write(f"{json.dumps(told)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:5])
