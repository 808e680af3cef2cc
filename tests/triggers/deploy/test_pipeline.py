"""The pipeline's file: its steps follow one another, run sessions that exist, and get what the trigger gives them."""

from __future__ import annotations

import re
from typing import Any

import yaml

from triggers.deploy.rollout.__main__ import _parser
from triggers.manifest import ROOT

FILE = ROOT / "terraform" / "cloudbuild.yaml"
TRIGGER = ROOT / "terraform" / "modules" / "pipeline" / "main.tf"


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["steps"]
    return found


def text_of(step: dict[str, Any]) -> str:
    return "\n".join(step["args"])


def test_steps_follow_one_another() -> None:
    """A step that waits for nobody would deploy what was not tested."""
    names = [step["id"] for step in steps()]
    assert names == ["terraform", "tools", "bundle", "init", "deploy"]
    assert [step["waitFor"] for step in steps()] == [["-"], *([name] for name in names[:-1])]


def test_it_tests_before_it_deploys_and_runs_sessions_that_exist() -> None:
    sessions = set(re.findall(r'^(?:@nox\.session(?:\(name="([\w-]+)"\))?\n)def (\w+)', _noxfile(), re.MULTILINE))
    known = {name or function for name, function in sessions}
    run = [
        name for step in steps() for found in re.findall(r"nox -s ([a-z -]+)", text_of(step)) for name in found.split()
    ]
    run = [name for name in run if not name.startswith("-")]
    assert set(run) <= known
    assert run.index("tests") < run.index("bundle") < run.index("deploy")
    assert {"lint", "types", "imports", "fresh", "tests", "terraform"} <= set(run[: run.index("bundle")])


def _noxfile() -> str:
    return (ROOT / "noxfile.py").read_text(encoding="utf-8")


def test_the_deployment_is_the_command_of_a_desk() -> None:
    [arguments] = re.findall(r"nox -s deploy -- (.*)", text_of(steps()[-1]))
    options = _parser().parse_args(arguments.replace('"', "").split())
    assert options.yes, "nobody can be asked"
    assert (options.var_file, options.smoke_account) == ("${_VAR_FILE}", "${_ACCOUNT}")


def test_the_trigger_gives_what_the_file_asks_for() -> None:
    text = FILE.read_text(encoding="utf-8")
    defined = set(yaml.safe_load(text)["substitutions"])
    used = set(re.findall(r"\$\{(_[A-Z_]+)\}", text.partition("steps:")[2]))
    assert used == defined
    given = set(re.findall(r"^    (_[A-Z_]+)\s+=", TRIGGER.read_text(encoding="utf-8"), re.MULTILINE))
    assert given == defined - {"_TERRAFORM"}
    assert f'"{FILE.relative_to(ROOT).as_posix()}"' in TRIGGER.read_text(encoding="utf-8")
