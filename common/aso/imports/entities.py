"""The entity of imports."""

from __future__ import annotations

from common.aso.imports.models import Import
from common.entity import Entity, Index

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
    ),
    unindexed=("mapping", "warnings", "counts", "undo", "digest", "filename"),
    personal=("created_by",),
)
