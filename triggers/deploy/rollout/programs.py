"""The programs that a deployment runs, ``terraform`` and ``gcloud``: which commands, and what their answers mean."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triggers.deploy.rollout.ports import OutsideError, Report
from triggers.manifest import ROOT

FOLDER = ROOT / "terraform"
PLAN = "deploy.plan"
FUNCTION = "google_cloudfunctions2_function"
DATA = frozenset(
    {
        "google_bigquery_dataset",
        "google_bigquery_table",
        "google_firestore_backup_schedule",
        "google_firestore_database",
        "google_kms_crypto_key",
        "google_kms_key_ring",
        "google_secret_manager_secret",
        "google_storage_bucket",
    }
)
"""Resources whose end is the end of data, or of the way back to it."""
DERIVED = ("xynergy-bundles", "REDIS_URL")
"""Ends of names of what is made again from the sources, or from another resource."""


def shown(command: Sequence[str]) -> str:
    """Return a command as one types it."""
    return shlex.join(command)


def run(command: Sequence[str], *, folder: Path = ROOT, quiet: bool = True) -> str:
    """Run a program and return what it wrote.

    Raises:
        OutsideError: It is not there, or it failed; with the end of what it wrote.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            list(command), cwd=folder, capture_output=quiet, text=True, check=False
        )
    except OSError as error:
        raise OutsideError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        end = "\n".join((done.stderr or done.stdout or "").strip().splitlines()[-20:])
        raise OutsideError(f"{shown(command)} failed ({done.returncode})\n{end}")
    return done.stdout or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What a plan would do.

    Attributes:
        functions: Functions that get a new revision, to why: ``new``, ``code`` or ``settings``.
        gone: Functions that are taken away.
        lost: Addresses of resources with data that would be deleted.
        others: Number of other resources that change.
        variables: The plan's variables.
    """

    functions: Mapping[str, str]
    gone: tuple[str, ...]
    lost: tuple[str, ...]
    others: int
    variables: Mapping[str, Any]


def read_plan(plan: Mapping[str, Any]) -> Planned:
    """Read a plan as ``terraform show -json`` gives it."""
    functions: dict[str, str] = {}
    gone, lost, others = [], [], 0
    for change in plan.get("resource_changes", []):
        actions = change["change"]["actions"]
        if actions in (["no-op"], ["read"]):
            continue
        if change["type"] == FUNCTION:
            before, after = change["change"]["before"], change["change"]["after"]
            if after is None:
                gone.append(before["name"])
            else:
                functions[after["name"]] = _why(before, after)
            continue
        others += 1
        if "delete" in actions and holds_data(change["type"], change["change"]["before"] or {}):
            lost.append(change["address"])
    variables = {name: value.get("value") for name, value in plan.get("variables", {}).items()}
    return Planned(
        functions=dict(sorted(functions.items())),
        gone=tuple(sorted(gone)),
        lost=tuple(sorted(lost)),
        others=others,
        variables=variables,
    )


def holds_data(kind: str, values: Mapping[str, Any]) -> bool:
    """Tell whether something of this kind holds data that no build makes again."""
    if kind == "google_bigquery_table" and values.get("view"):
        return False
    name = values.get("secret_id") or values.get("name") or ""
    return kind in DATA and not str(name).endswith(DERIVED)


def _why(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    if before is None:
        return "new"
    return "code" if _source(before) != _source(after) else "settings"


def _source(values: Mapping[str, Any]) -> object:
    """Return the object a function is built from, which carries the hash of its bundle."""
    found: Any = values
    for name in ("build_config", "source", "storage_source"):
        found = (found.get(name) or [{}])[0]
    return found.get("object")


@dataclass(frozen=True, kw_only=True)
class Terraform:
    """Terraform in its folder.

    Attributes:
        var_file: File of the environment's variables, relative to the folder or absolute.
        report: Told every command.
        binary: The program.
        folder: The root module.
    """

    var_file: str
    report: Report
    binary: str = "terraform"
    folder: Path = FOLDER

    def plan_command(self, *more: str) -> list[str]:
        """Return the command that plans."""
        return [self.binary, "plan", "-input=false", f"-var-file={self.var_file}", *more, f"-out={PLAN}"]

    def apply_command(self) -> list[str]:
        """Return the command that makes what was planned, and that only."""
        return [self.binary, "apply", "-input=false", PLAN]

    def plan(self, *more: str) -> Planned:
        """Plan, and read the plan.

        Raises:
            OutsideError: Terraform refused.
        """
        self._run(self.plan_command(*more))
        return read_plan(json.loads(run([self.binary, "show", "-json", PLAN], folder=self.folder)))

    def apply(self) -> None:
        """Make what was planned.

        Raises:
            OutsideError: Terraform failed, perhaps half-way.
        """
        self._run(self.apply_command())

    def output(self) -> dict[str, Any]:
        """Return the outputs of what is deployed."""
        found = json.loads(run([self.binary, "output", "-json"], folder=self.folder) or "{}")
        return {name: value["value"] for name, value in found.items()}

    def resources(self) -> list[Mapping[str, Any]]:
        """Return every resource of the state: address, type and values."""
        state = json.loads(run([self.binary, "show", "-json"], folder=self.folder) or "{}")
        return list(managed(state.get("values", {}).get("root_module", {})))

    def _run(self, command: Sequence[str]) -> None:
        self.report(shown(command))
        run(command, folder=self.folder)


def managed(module: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the resources of a module of a state and of all modules below it."""
    found = [each for each in module.get("resources", []) if each["mode"] == "managed"]
    for child in module.get("child_modules", []):
        found += managed(child)
    return found


@dataclass(frozen=True, kw_only=True)
class Gcloud:
    """Tokens of whoever deploys, from ``gcloud``.

    Attributes:
        account: Service account that signs identity tokens; empty signs as the caller, whose tokens name no audience.
        binary: The program.
    """

    account: str = ""
    binary: str = "gcloud"

    def access_token(self) -> str:
        """Return a token for Google's interfaces."""
        return run([self.binary, "auth", "print-access-token"]).strip()

    def identity_token(self, audience: str) -> str:
        """Return a token for one of our functions."""
        command = [self.binary, "auth", "print-identity-token"]
        if self.account:
            command += [f"--impersonate-service-account={self.account}", f"--audiences={audience}", "--include-email"]
        return run(command).strip()
