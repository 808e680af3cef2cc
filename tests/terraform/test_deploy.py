"""What deploys and destroys reads real plans: what changes, what holds data, and what a destruction leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.terraform.plans import Inventory
from triggers.deploy.destroy import KEPT, targets
from triggers.deploy.rollout.programs import holds_data, managed, read_plan

Manifest = Mapping[str, Mapping[str, Any]]


def resources(inventory: Inventory) -> list[Mapping[str, Any]]:
    """Return the planned resources in the form of a state's."""
    return managed(inventory.plan["planned_values"]["root_module"])


def test_every_function_of_a_plan_is_deployed(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a rollout that passes over a function because it reads the plan otherwise than Terraform writes it."""
    planned = read_plan(inventory.plan)
    assert planned.functions == dict.fromkeys(sorted(manifest), "new")
    assert (planned.gone, planned.lost) == ((), ())
    assert planned.others > len(manifest)
    for name in ("project_id", "region", "front_door"):
        assert planned.variables[name], "what the rollout has to know of the environment is among the variables"


def test_a_destruction_leaves_every_module_with_data(inventory: Inventory) -> None:
    """Prevents `nox -s destroy` from reaching data: whoever adds a module that holds some has to name it there."""
    found = resources(inventory)
    held = [each["address"] for each in found if holds_data(each["type"], each["values"])]
    assert len(held) > 10
    chosen = targets(found)
    assert not [address for address in held if address.startswith(tuple(f"{each}" for each in chosen))]
    assert {"module.function", "module.subscription", "module.queue"} <= set(chosen)
    assert not {f"module.{name}" for name in KEPT} & set(chosen)
    planned = {
        each["address"].split(".")[1].partition("[")[0] for each in found if each["address"].startswith("module")
    }
    assert planned >= KEPT - {"warehouse"}, "a module that was renamed; a warehouse without tenants holds nothing yet"
