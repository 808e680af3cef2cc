"""The entity of imports."""

from __future__ import annotations

from common.aso.imports.models import Import
from common.entity import Entity, Index, Personal

IMPORTS = Entity(
    name="import",
    domain="aso",
    model=Import,
    collection="imports",
    key="import_id",
    events={
        "created": "import-started",
        "updated": "import-changed",
        "updated:status=applied": "import-applied",
        "updated:status=undone": "import-undone",
    },
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "status", "-created_at")),
        Index(fields=("tenant_id", "format", "-created_at")),
        Index(fields=("tenant_id", "created_at")),  # retention
    ),
    unindexed=("mapping", "warnings", "counts", "undo", "digest", "filename"),
    personal=(Personal(field="created_by", kind="user_id", erasure="pseudonymise"),),
    impersonal={"filename": "Name of a file, as the tool that exported it chose it."},
    purpose="What was read from files and connected tools, so that figures have a source and an import can be undone.",
    retention="analytics",
    aged_by="created_at",
)
