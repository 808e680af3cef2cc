"""Keeps the Firestore emulator's documents between runs; it stores nothing by itself.

Its own ``--export-on-exit`` writes no files, so the export and the import go over its administrative interface.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

NAME = "documents"


def _post(url: str, body: dict[str, str]) -> None:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=120):
        pass


def _metadata(folder: Path) -> Path | None:
    return next(folder.glob(f"{NAME}/**/*.overall_export_metadata"), None) if folder.exists() else None


def export_documents(firestore: str, project: str, folder: Path) -> None:
    """Write every document of the default database below ``folder``, in place of an earlier export.

    Args:
        firestore: ``host:port`` of the emulator.
        project: Project id.
        folder: Folder of the export; made if missing.
    """
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    body = {
        "database": f"projects/{project}/databases/(default)",
        "export_directory": str(fresh.absolute()),
        "export_name": NAME,
    }
    _post(f"http://{firestore}/emulator/v1/projects/{project}:export", body)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def import_documents(firestore: str, project: str, folder: Path) -> bool:
    """Read back what ``export_documents`` wrote; tells whether there was anything."""
    metadata = _metadata(folder)
    if metadata is None:
        return False
    body = {"database": f"projects/{project}/databases/(default)", "export_directory": str(metadata.absolute())}
    _post(f"http://{firestore}/emulator/v1/projects/{project}:import", body)
    return True
