"""Take a deployment away, and refuse to delete data unless that is asked for by the project's name.

``nox -s destroy -- --var-file environments/mine.tfvars`` takes away everything that a build makes again: functions,
subscriptions, queues, schedules, front door, alerts. Databases, data sets, buckets, secrets and the key stay, with the
services they need; events that no consumer took yet go with their topics. ``--delete-data PROJECT_ID`` takes data away
as well, with everything in it, and forgets the key, which KMS never deletes. ``--dry-run`` only says what would happen;
with ``--state FILE`` (``terraform show -json``) it needs no cloud.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError, DeclarationError
from triggers.deploy.rollout.dry import variables
from triggers.deploy.rollout.ports import OutsideError
from triggers.deploy.rollout.programs import Terraform, holds_data, managed, run, shown

KEPT = frozenset({"backup", "bucket", "database", "encryption", "project", "secret", "warehouse"})
"""Modules that hold data, or what data needs: they stay."""
KEY = "module.encryption"
"""The module of the key that seals tenants' data: no key of KMS can be deleted, so Terraform is made to forget it."""
_MODULE = re.compile(r'^(module\.(\w+)(?:\["[^"]*"\]|\[\d+\])?)')
EXPORT = {
    "google_firestore_database": "gcloud firestore export gs://BUCKET --database={name}",
    "google_bigquery_dataset": "bq extract, or CREATE SNAPSHOT TABLE, for each table of {dataset_id}",
    "google_storage_bucket": "gcloud storage cp --recursive gs://{name} gs://ANOTHER",
}
"""How data is kept that somebody wants to keep."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nox -s destroy --", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--var-file", required=True, metavar="FILE", help="variables, relative to terraform/")
    parser.add_argument("--delete-data", default="", metavar="PROJECT_ID", help="delete data too; name the project")
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
    parser.add_argument("--state", type=Path, metavar="FILE", help="a state as JSON, instead of asking for it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def with_data(resources: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the resources that hold data."""
    return [each for each in resources if holds_data(each["type"], each["values"])]


def targets(resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the addresses, each once, that take away everything but data and what it needs."""
    found: dict[str, None] = {}
    for resource in resources:
        match = _MODULE.match(resource["address"])
        if match is None:
            found[resource["address"]] = None
        elif match[2] not in KEPT:
            found[f"module.{match[2]}"] = None
    return sorted(found)


def _commands(terraform: Terraform, resources: Sequence[Mapping[str, Any]], *, data: bool) -> list[list[str]]:
    file = f"-var-file={terraform.var_file}"
    if data:
        unlock = [terraform.binary, "apply", "-input=false", "-auto-approve", file, "-var=deletion_protection=false"]
        has_key = any(resource["address"].startswith(f"{KEY}.") for resource in resources)
        forget = [[terraform.binary, "state", "rm", KEY]] if has_key else []
        return [unlock, *forget, [*unlock[:1], "destroy", *unlock[2:]]]
    chosen = [f"-target={address}" for address in targets(resources)]
    return [terraform.plan_command("-destroy", *chosen), terraform.apply_command()] if chosen else []


def _read(file: Path) -> list[Mapping[str, Any]]:
    try:
        return managed(json.loads(file.read_text(encoding="utf-8"))["values"]["root_module"])
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise DeclarationError(str(file), line, "this is no state (terraform show -json)") from error


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _tell(held: Sequence[Mapping[str, Any]], *, data: bool) -> None:
    for resource in held:
        _say(f"  {'DELETED WITH ITS DATA' if data else 'stays'}: {resource['address']}")
        if data and resource["type"] in EXPORT:
            _say(f"    to keep it first: {EXPORT[resource['type']].format_map(resource['values'])}")


def destroy(options: argparse.Namespace) -> int:
    """Do it, or say it.

    Raises:
        ConfigurationError: Data would be deleted and nobody named the project.
        OutsideError: Terraform failed.
    """
    values = variables(options.var_file)
    if options.delete_data and options.delete_data != values["project_id"]:
        told = f"--delete-data {options.delete_data}: {options.var_file} is about project {values['project_id']}"
        raise ConfigurationError(told)
    data = bool(options.delete_data)
    terraform = Terraform(var_file=options.var_file, report=_say)
    resources = _read(options.state) if options.state else terraform.resources()
    commands = _commands(terraform, resources, data=data)
    _tell(with_data(resources), data=data)
    for command in commands:
        _say("$ " + shown(command))
    if options.dry_run or not commands:
        return 0
    if not options.yes and input(f"Take {values['project_id']} away? Only its name does: ") != values["project_id"]:
        _say("nothing was done")
        return 1
    if data:
        for command in commands:
            run(command, folder=terraform.folder, quiet=False)
        return 0
    lost = terraform.plan("-destroy", *(f"-target={address}" for address in targets(resources))).lost
    if lost:
        raise ConfigurationError(f"the plan deletes data: {', '.join(lost)}; nothing was done")
    terraform.apply()
    return 0


def main(arguments: Sequence[str]) -> int:
    """Take it away; 0 done, 1 not confirmed, 2 refused, 3 Terraform failed."""
    options = _parser().parse_args(arguments)
    try:
        return destroy(options)
    except (ConfigurationError, DeclarationError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OutsideError as error:
        sys.stderr.write(f"{error}\n")
        return 3


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
