"""Hold the planned infrastructure against checkov's policies for Google Cloud.

Run as ``python -m tests.terraform.policies CHECKOV`` with the path of the program, which lives in an environment of its
own (``checkov.lock``). Every policy that a plan breaks is named in ``checkov_skipped.json`` with the reason why it may;
a policy that no plan breaks any more must leave that file.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.terraform.plans import INSTALL, prepare
from tests.terraform.provider_stub import provider_stub

SKIPPED = Path(__file__).parent / "checkov_skipped.json"
PLANS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "development": ("dev", {}),
    "production": ("prod", {"tenants": ["acme"]}),
    "production behind a load balancer": ("prod", {"front_door": "load_balancer", "domain": "api.example.com"}),
}
ENOUGH = 100
"""Checks that a scan of any of these plans passes at least; fewer means that it did not understand the plan."""


def broken_policies(checkov: str, plan: Path) -> dict[str, list[str]]:
    """Return the resources that break each policy.

    Args:
        checkov: The program.
        plan: The plan as JSON.

    Raises:
        RuntimeError: The scan did not understand the plan.
    """
    options = ("--framework", "terraform_plan", "--skip-download", "--compact", "--quiet", "--soft-fail")
    done = subprocess.run(
        [checkov, "-f", str(plan), *options, "-o", "json"], capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout)
    if report["summary"]["parsing_errors"] or report["summary"]["passed"] < ENOUGH:
        raise RuntimeError(f"checkov did not understand {plan.name}: {report['summary']}")
    found = defaultdict(list)
    for failed in report["results"]["failed_checks"]:
        found[f"{failed['check_id']} {failed['check_name']}"].append(failed["resource"])
    return dict(found)


def scan(checkov: str, folder: Path) -> dict[str, dict[str, list[str]]]:
    """Plan everything and return, by plan, the resources that break each policy."""
    binary = shutil.which("terraform")
    if binary is None:
        raise SystemExit(INSTALL)
    found = {}
    with provider_stub(foretell=True) as environment:
        configuration = prepare(folder / "root", binary, environment)
        for name, (values, variables) in PLANS.items():
            plan = folder / f"{name.replace(' ', '-')}.json"
            plan.write_text(json.dumps(configuration.plan(values, variables).plan), encoding="utf-8")
            found[name] = broken_policies(checkov, plan)
    return found


def main(arguments: list[str]) -> int:
    """Print what is broken without a reason, and reasons for what is not broken; return 1 if there is any."""
    skipped: dict[str, str] = json.loads(SKIPPED.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        plans = scan(arguments[0], Path(folder))
    lines = [
        f"{plan}: {policy}: {', '.join(resources[:5])}{' and more' if len(resources) > 5 else ''}"
        for plan, policies in plans.items()
        for policy, resources in policies.items()
        if policy.split()[0] not in skipped
    ]
    broken = {policy.split()[0] for policies in plans.values() for policy in policies}
    lines += [f"{SKIPPED.name}: {policy} is broken nowhere: take it out" for policy in sorted(set(skipped) - broken)]
    lines += [f"{SKIPPED.name}: {policy} has no reason" for policy, why in skipped.items() if len(why.split()) < 3]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.write(f"{len(plans)} plans, {len(skipped)} policies skipped with a reason, {len(lines)} problems\n")
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
