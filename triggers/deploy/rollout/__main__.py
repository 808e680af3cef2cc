"""Deploy: plan, make the new revisions, try them, shift traffic 0 -> 50 -> 100, and go back on any failure.

``nox -s deploy -- --var-file environments/mine.tfvars``; ``--dry-run`` says what would happen without a cloud, against
``--deployed FILE`` (a state from ``terraform show -json``, or an earlier ``bundles.json``); ``--roll-back`` sends every
function to the revision before. A run that was cut off is resumed by running it again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from common.errors import ConfigurationError, DeclarationError
from triggers.deploy.inputs import checked_manifest
from triggers.deploy.rollout import dry
from triggers.deploy.rollout.failures import Failures
from triggers.deploy.rollout.machine import Outcome, Rollout
from triggers.deploy.rollout.ports import OutsideError
from triggers.deploy.rollout.programs import Gcloud, Planned, Terraform
from triggers.deploy.rollout.run_admin import RunAdmin
from triggers.deploy.rollout.smoke import SmokeTest
from triggers.deploy.schema.baseline import load_baseline
from triggers.manifest import ROOT, Entry

WATCH = 300.0
FRESH = 1500.0
"""Seconds that an access token is used for; it is good for an hour."""
ENDS = {"done": 0, "nothing": 0, "rolled_back": 4, "stuck": 5}
"""Exit status by how a rollout ended."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nox -s deploy --", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--var-file", required=True, metavar="FILE", help="variables, relative to terraform/")
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen; needs no cloud")
    parser.add_argument("--deployed", type=Path, metavar="FILE", help="what is deployed, for --dry-run")
    parser.add_argument("--roll-back", action="store_true", help="send every function to its previous revision")
    parser.add_argument("--yes", action="store_true", help="do not ask before applying")
    parser.add_argument("--watch", type=float, default=WATCH, metavar="SECONDS", help="time at 50 %% (default 300)")
    parser.add_argument("--smoke-account", default="", metavar="EMAIL", help="account that may call HTTP functions")
    parser.add_argument(
        "--lose-data", action="append", default=[], metavar="ADDRESS", help="a resource with data that may be deleted"
    )
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass
class _Token:
    """An access token, asked for again before it ends."""

    ask: Callable[[], str]
    _known: str = ""
    _until: float = field(default=0.0)

    def __call__(self) -> str:
        if time.monotonic() > self._until:
            self._known, self._until = self.ask(), time.monotonic() + FRESH
        return self._known


def _entries() -> dict[str, Entry]:
    return {entry["name"]: entry for entry in checked_manifest()}


def _dry_run(options: argparse.Namespace) -> int:
    new, old = dry.built(ROOT / "build" / "bundles.json"), dry.deployed(options.deployed)
    values = dry.variables(options.var_file)
    entries = _entries()
    _warn_of_loose_schemas()
    missing = sorted(set(entries) - set(new.hashes))
    if missing:
        told = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise DeclarationError("build/bundles.json", 1, f"no bundle of {told}: run nox -s bundle")
    why = dry.changed(new, old)
    _say(f"project {values['project_id']}, region {values['region']}; deployed: {old.source}")
    terraform = Terraform(var_file=options.var_file, report=_say)
    gone = sorted(set(old.hashes) - set(entries))
    for line in dry.lines(entries, why, gone, terraform, values["region"], options.watch):
        _say(line)
    return 0


def refuse_loss(planned: Planned, allowed: Sequence[str]) -> None:
    """Refuse a plan that deletes what holds data.

    Raises:
        ConfigurationError: It does, and nobody allowed it by name.
    """
    lost = sorted(set(planned.lost) - set(allowed))
    if lost:
        told = " ".join(f"--lose-data '{address}'" for address in lost)
        raise ConfigurationError(f"the plan deletes data: {', '.join(lost)}; if that is meant: {told}")


def _warn_of_loose_schemas() -> None:
    """Say which schemas a deployment makes stored data of, without a release that keeps them as they are."""
    loose = [name for name, versions in load_baseline().items() if not all(v["released"] for v in versions.values())]
    if loose:
        told = ", ".join(loose[:5]) + (f" and {len(loose) - 5} more" if len(loose) > 5 else "")
        _say(f"warning: no release keeps the schema of {told}: run nox -s schema -- release VERSION, and commit")


def _rollout(options: argparse.Namespace, values: dict[str, Any], terraform: Terraform | None) -> Rollout:
    gcloud = Gcloud(account=options.smoke_account)
    token = _Token(gcloud.access_token)
    run = RunAdmin(project=values["project_id"], region=values.get("region") or "us-central1", token=token)
    open_doors = (values.get("front_door") or "gateway") == "gateway"
    return Rollout(
        entries=_entries(),
        infrastructure=terraform,
        traffic=run,
        smoke=SmokeTest(run=run, identity=gcloud.identity_token, open_doors=open_doors),
        watch=Failures(project=values["project_id"], token=token, seconds=options.watch),
        report=_say,
    )


def _deploy(options: argparse.Namespace) -> int:
    terraform = Terraform(var_file=options.var_file, report=_say)
    if options.roll_back:
        return _tell(_rollout(options, dict(dry.variables(options.var_file)), None).roll_back())
    _warn_of_loose_schemas()
    planned = terraform.plan()
    refuse_loss(planned, options.lose_data)
    _say(f"{len(planned.functions)} functions get a new revision, {planned.others} other resources change")
    for name, why in planned.functions.items():
        _say(f"  {name}: {why}")
    for name in planned.gone:
        _say(f"  {name}: taken away")
    if not options.yes and input("Apply? Only 'yes' does: ") != "yes":
        _say("nothing was done")
        return 1
    return _tell(_rollout(options, dict(planned.variables), terraform).run(planned.functions))


def _tell(outcome: Outcome) -> int:
    _say(f"{outcome.state}: {len(outcome.functions)} functions" + (f"; {outcome.reason}" if outcome.reason else ""))
    if outcome.left:
        _say(f"NOT sent back: {', '.join(outcome.left)}; run it again, with --roll-back to give it up")
    if outcome.without_way_back and outcome.state != "done":
        _say(f"new, with no older revision to go back to: {', '.join(outcome.without_way_back)}")
    return ENDS[outcome.state]


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Deploy; 0 done, 2 refused, 3 no answer, 4 rolled back, 5 stuck."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)  # how a build is ended from outside
    try:
        return _dry_run(options) if options.dry_run else _deploy(options)
    except (ConfigurationError, DeclarationError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OutsideError as error:
        sys.stderr.write(f"{error}\n")
        return 3


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
