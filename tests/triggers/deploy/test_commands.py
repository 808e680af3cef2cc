"""``nox -s deploy`` and ``nox -s destroy`` as they are typed, against stand-ins for the outside, and offline."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.triggers.deploy.cloud_run import CloudRun, cloud_run
from tests.triggers.deploy.test_adapters import function, program, resource
from triggers.deploy import destroy
from triggers.deploy.rollout import __main__ as deploy
from triggers.deploy.rollout import dry, failures, programs, run_admin
from triggers.deploy.rollout.smoke import NOBODY
from triggers.manifest import load_manifest

KIND = "google_cloudfunctions2_function"
CHANGED = ("aso-content-get", "aso-warehouse-sync")
NAMES = (*CHANGED, "platform-health")


@dataclass(frozen=True)
class Desk:
    """Where somebody deploys from.

    Attributes:
        folder: Holds the programs, what they noted, and the variables.
        server: The cloud.
    """

    folder: Path
    server: CloudRun

    def run(self, *arguments: str) -> int:
        return deploy.main(["--var-file", str(self.folder / "mine.tfvars"), "--watch", "0", *arguments])

    def commands(self, name: str = "terraform") -> list[str]:
        file = self.folder / f"{name}.log"
        return [line.split()[0] for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []

    def plan(self, *changes: dict[str, Any]) -> None:
        """Say what Terraform plans; applying it makes new revisions."""
        values = {"project_id": {"value": "demo-project"}, "region": {"value": "us-central1"}}
        plan = {"resource_changes": list(changes), "variables": values}
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    text = 'project_id     = "demo-project"\nproject_number = "123456789012"\n'
    (tmp_path / "mine.tfvars").write_text(text, encoding="utf-8")
    with cloud_run() as server:
        for name in NAMES:
            server.deploy(name)
            server.answers |= {
                f"/at/{name}/candidate/v1/aso/content/{NOBODY}": (401, "application/problem+json"),
                f"/at/{name}/candidate/v1/health": (200, "application/json"),
            }
        show = f'[ "$1" = show ] && cat "{tmp_path}/plan.json"'
        program(tmp_path, "terraform", f'{show}; [ "$1" = apply ] && touch "{tmp_path}/applied"; exit 0')
        program(tmp_path, "gcloud", "echo token")
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(run_admin, "ADDRESS", server.address)
        monkeypatch.setattr(failures, "ADDRESS", server.address)
        made = programs.Terraform.apply

        def apply(terraform: programs.Terraform) -> None:
            made(terraform)
            for name in CHANGED:
                server.deploy(name)

        monkeypatch.setattr(programs.Terraform, "apply", apply)
        monkeypatch.setattr(run_admin.RunAdmin, "pause", 0, raising=False)
        desk = Desk(tmp_path, server)
        desk.plan(*(resource(KIND, ["update"], function(name, "a"), function(name, "b")) for name in CHANGED))
        yield desk


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("signal.signal", lambda *given: None)


def test_a_deployment_from_plan_to_the_last_percent(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("--yes") == 0
    said = capsys.readouterr().out
    assert "2 functions get a new revision" in said
    assert "done: 2 functions" in said
    assert desk.commands() == ["plan", "show", "apply"]
    for name in CHANGED:
        assert desk.server.shares(name) == {"00001": 0, "00002": 100}
    patched = [
        path.split("/services/")[1].split("?")[0] for method, path, *_ in desk.server.requests if method == "PATCH"
    ]
    both = list(reversed(CHANGED))
    assert patched == ["aso-warehouse-sync", "aso-content-get", *both[:1] * 2, *both[1:] * 2, *both]


def test_a_failing_revision_goes_back_and_says_so(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    failing = {"revision_name": "aso-content-get-00002"}
    desk.server.series = [
        {
            "resource": {"labels": failing},
            "metric": {"labels": {"response_code_class": "5xx"}},
            "points": [{"value": {"int64Value": "3"}}],
        }
    ]
    assert desk.run("--yes") == 4
    said = capsys.readouterr().out
    assert "aso-content-get-00002 fails under traffic: 3 of 3 requests failed" in said
    for name in CHANGED:
        assert desk.server.shares(name) == {"00001": 100}
    desk.server.series = []
    desk.plan()
    assert desk.run("--yes") == 0, "the next run resumes, and takes whatever is newest"
    for name in CHANGED:
        assert desk.server.shares(name)["00001"] == 0


def test_a_lost_answer_is_no_half_shift(desk: Desk) -> None:
    """Cloud Run took a write and the line broke: it goes back; run again, it gets through."""
    desk.server.broken = {"PATCH": [0]}
    assert desk.run("--yes") == 4
    for name in CHANGED:
        assert sorted(desk.server.shares(name).values()) == [100]
    assert desk.run("--yes") == 0


def test_rolling_back_takes_one_command(desk: Desk) -> None:
    assert desk.run("--yes") == 0
    assert desk.run("--roll-back") == 4
    for name in CHANGED:
        assert desk.server.shares(name) == {"00001": 100}
    assert desk.commands().count("apply") == 1, "Terraform has no part in it"


def test_a_plan_that_deletes_data_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    lost = resource(
        "google_firestore_database", ["delete", "create"], {"name": "(default)"}, {}, "module.database.this"
    )
    desk.plan(lost)
    assert desk.run("--yes") == 2
    assert "the plan deletes data: module.database.this" in capsys.readouterr().err
    assert "apply" not in desk.commands()
    assert desk.run("--yes", "--lose-data", "module.database.this") == 0
    assert "apply" in desk.commands()


def test_nothing_is_done_without_a_yes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    assert desk.run() == 1
    assert "apply" not in desk.commands()


def bundles(folder: Path, **changed: str) -> Path:
    """Write a list of bundles of every function: all alike but those that are given."""
    names = [entry["name"] for entry in load_manifest()]
    file = folder / "bundles.json"
    record = {name: {"sha256": changed.get(name.replace("-", "_"), "0" * 64)} for name in names}
    file.write_text(json.dumps(record), encoding="utf-8")
    return file


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose bundles were built; no program is within reach."""
    (tmp_path / "build").mkdir()
    bundles(tmp_path / "build", aso_content_get="1" * 64, aso_warehouse_sync="2" * 64)
    monkeypatch.setattr(deploy, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def dry_run(*arguments: str) -> int:
    return deploy.main(["--var-file", "environments/prod.tfvars", "--dry-run", *arguments])


def test_a_dry_run_tells_what_would_happen_without_a_cloud(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run("--deployed", str(bundles(here))) == 0
    said = capsys.readouterr().out
    assert "project xynergy-prod, region us-central1" in said
    assert f"2 of {len(load_manifest())} functions get a new revision" in said
    assert "code 00000000 -> 11111111" in said
    consumer, reader = (said.index(f"{name}: marked at 0 %") for name in ("aso-warehouse-sync", "aso-content-get"))
    assert consumer < reader, "consumers first"
    assert "$ terraform plan -input=false -var-file=environments/prod.tfvars -out=deploy.plan" in said
    assert "update-traffic aso-content-get --to-revisions=PREVIOUS=50,CANDIDATE=50 --region=us-central1" in said
    assert "update-traffic aso-content-get --to-revisions=CANDIDATE=100" in said
    assert dry_run("--deployed", str(here / "build" / "bundles.json")) == 0
    assert "0 of " in capsys.readouterr().out
    assert dry_run() == 0
    assert "every function counts as new" in capsys.readouterr().out


@pytest.mark.parametrize("released", [None, "1.0.0"])
def test_schemas_that_no_release_keeps_are_told(
    here: Path, released: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deployment makes stored data of them; until a release freezes them, the next change of a model may break it."""
    monkeypatch.setattr(deploy, "load_baseline", lambda: {"keyword": {"1": {"released": released}}})
    assert dry_run("--deployed", str(bundles(here))) == 0
    assert ("no release keeps the schema of keyword" in capsys.readouterr().out) is (released is None)


def test_a_dry_run_reads_a_state(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resources = [
        {"type": KIND, "mode": "managed", "address": f"f[{entry['name']}]", "values": function(entry["name"], source)}
        for entry in load_manifest()
        for source in [f"bundles/{entry['name']}-{'0' * 16}.zip"]
    ]
    resources.append({"type": KIND, "mode": "managed", "address": "f", "values": function("gone", "gone-" + "0" * 16)})
    state = here / "state.json"
    module = {"child_modules": [{"resources": resources}]}
    state.write_text(json.dumps({"values": {"root_module": module}}), encoding="utf-8")
    assert dry_run("--deployed", str(state)) == 0
    said = capsys.readouterr().out
    assert "2 of " in said
    assert "gone: taken away" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "state.json:1: "), ("[]", "this is no list of bundles"), ('{"a": 1}', "no list of bundles")],
)
def test_a_wrong_record_is_refused(here: Path, text: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "state.json").write_text(text, encoding="utf-8")
    assert dry_run("--deployed", str(here / "state.json")) == 2
    assert told in capsys.readouterr().err


def test_missing_bundles_and_variables_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["--var-file", "environments/none.tfvars", "--dry-run"]) == 2
    assert "there is no" in capsys.readouterr().err
    (here / "build" / "bundles.json").write_text("{}", encoding="utf-8")
    assert dry_run() == 2
    assert "run nox -s bundle" in capsys.readouterr().err
    (here / "build" / "bundles.json").unlink()
    assert dry_run() == 2
    assert "no bundles: run nox -s bundle" in capsys.readouterr().err


STATE: list[dict[str, Any]] = [
    {"type": kind, "mode": "managed", "address": address, "values": values}
    for kind, address, values in (
        (KIND, 'module.function["aso-stats"].google_cloudfunctions2_function.this', {"name": "aso-stats"}),
        ("google_pubsub_topic", 'module.topic["aso-events"].google_pubsub_topic.this', {"name": "aso-events"}),
        ("google_firestore_database", "module.database.google_firestore_database.this", {"name": "(default)"}),
        ("google_kms_crypto_key", "module.encryption.google_kms_crypto_key.tenants", {"name": "tenant-keys"}),
        ("google_storage_bucket", 'module.bucket["reports"].google_storage_bucket.this', {"name": "p-xynergy-reports"}),
        ("google_storage_bucket", "module.source_bucket.google_storage_bucket.this", {"name": "p-xynergy-bundles"}),
        ("google_secret_manager_secret", 'module.secret["K"].google_secret_manager_secret.this', {"secret_id": "K"}),
        (
            "google_secret_manager_secret",
            "module.cache[0].google_secret_manager_secret.url",
            {"secret_id": "REDIS_URL"},
        ),
        ("google_project_service", 'module.project.google_project_service.this["x"]', {"service": "x"}),
        ("google_service_account", "google_service_account.gateway[0]", {"account_id": "xynergy-gateway"}),
    )
]


def state_file(folder: Path) -> str:
    file = folder / "state.json"
    file.write_text(json.dumps({"values": {"root_module": {"resources": STATE}}}), encoding="utf-8")
    return str(file)


def test_destroying_leaves_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert destroy.targets(STATE) == [
        "google_service_account.gateway[0]", "module.cache", "module.function", "module.source_bucket", "module.topic",
    ]  # fmt: skip
    assert {each["address"].split(".")[1].partition("[")[0] for each in destroy.with_data(STATE)} == {
        "database", "bucket", "encryption", "secret",
    }  # fmt: skip
    arguments = ["--var-file", "environments/prod.tfvars", "--dry-run", "--state", state_file(tmp_path)]
    assert destroy.main(arguments) == 0
    said = capsys.readouterr().out
    assert "stays: module.database" in said
    assert "-target=module.function" in said
    assert "-target=module.database" not in said
    assert destroy.main([*arguments, "--delete-data", "xynergy-prod"]) == 0
    said = capsys.readouterr().out
    assert "DELETED WITH ITS DATA: module.database" in said
    assert "gcloud firestore export gs://BUCKET --database='(default)'" in said.replace("=(default)", "='(default)'")
    assert "-var=deletion_protection=false" in said
    assert said.index("state rm module.encryption") < said.index(" destroy "), "what cannot be deleted stops nothing"


def test_data_is_deleted_by_the_projects_name_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--var-file", "environments/prod.tfvars", "--state", state_file(tmp_path), "--yes"]
    assert destroy.main([*arguments, "--delete-data", "xynergy-dev"]) == 2
    assert "is about project xynergy-prod" in capsys.readouterr().err
    (tmp_path / "torn.json").write_text("{", encoding="utf-8")
    assert destroy.main([*arguments[:2], "--state", str(tmp_path / "torn.json")]) == 2


@pytest.mark.parametrize("loses", [False, True])
def test_a_destruction_that_would_reach_data_is_not_made(
    desk: Desk, loses: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever depends on what is taken away goes, too: the plan is read before it is made."""
    bucket = resource("google_storage_bucket", ["delete"], {"name": "p-xynergy-reports"}, None, "module.bucket.this")
    desk.plan(*([bucket] if loses else []))
    given = ["--var-file", str(desk.folder / "mine.tfvars"), "--state", state_file(desk.folder), "--yes"]
    assert destroy.main(given) == (2 if loses else 0)
    assert ("apply" in desk.commands()) is not loses
    assert ("nothing was done" in capsys.readouterr().err) is loses


def test_a_destruction_has_to_be_confirmed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plan()
    monkeypatch.setattr("builtins.input", lambda prompt: "yes")
    given = ["--var-file", str(desk.folder / "mine.tfvars"), "--state", state_file(desk.folder)]
    assert destroy.main(given) == 1
    assert desk.commands() == []


def test_variables_name_the_project(tmp_path: Path) -> None:
    (tmp_path / "empty.tfvars").write_text('environment = "dev"\n', encoding="utf-8")
    with pytest.raises(Exception, match="it sets no project_id"):
        dry.variables("empty.tfvars", tmp_path)
