"""What Terraform is given of the declarations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.entity import Index
from common.technical import TechnicalCollection
from triggers import cloud


def test_collections_of_one_id_share_their_settings() -> None:
    """Firestore's settings belong to a collection id: two resources for one would take turns undoing each other."""
    found = cloud.technical(
        [
            TechnicalCollection(path="system/a/records", ttl="expires_at", unindexed=("body", "meta")),
            TechnicalCollection(
                path="system/b/records", ttl="expires_at", indexes=(Index(fields=("x", "-y")),), unindexed=("meta",)
            ),
            TechnicalCollection(path="system/c/keys"),
        ]
    )
    assert found == [
        {"collection": "keys", "indexes": [], "ttl": [], "unindexed": []},
        {"collection": "records", "indexes": [["x", "-y"]], "ttl": ["expires_at"], "unindexed": ["body", "meta"]},
    ]


def test_tables_and_views_name_no_project_and_no_tenant() -> None:
    """A name made with a stand-in would reach a real project's SQL."""
    text = json.dumps(cloud.warehouse())
    assert cloud.PROJECT not in text
    assert cloud.TENANT not in text
    views = {name: relation for name, relation in cloud.warehouse().items() if relation["query"]}
    assert "content_pieces_latest" in views
    for relation in views.values():
        assert "`{project_id}.aso_tenant_{tenant_id}." in relation["query"]


def test_a_stale_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cloud, "DECLARATIONS", tmp_path / "declarations.json")
    monkeypatch.setattr(cloud, "RULES", tmp_path / "firestore.rules")
    monkeypatch.setattr(cloud, "SCHEMAS", tmp_path / "schemas.json")
    assert cloud.main(["--check"]) == 1
    assert cloud.main([]) == 0
    assert cloud.main(["--check"]) == 0
    (tmp_path / "firestore.rules").write_text("allow read, write;", encoding="utf-8")
    capsys.readouterr()
    assert cloud.main(["--check"]) == 1
    assert capsys.readouterr().err == "terraform/firestore.rules is stale: run nox -s manifest\n"
