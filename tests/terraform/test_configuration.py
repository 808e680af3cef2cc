"""The configuration as a text: its form, its variables, and that every environment can be planned."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.terraform.plans import Configuration, TerraformError
from tests.terraform.schema_source import wanted_types
from triggers.manifest import ROOT

FOLDER = ROOT / "terraform"
MODULES = sorted(path.name for path in (FOLDER / "modules").iterdir())
BLOCK = re.compile(r'^(resource|variable|output) "(\w+)"', re.MULTILINE)


def texts() -> Iterator[tuple[Path, str]]:
    for file in sorted(FOLDER.rglob("*.tf")):
        if ".terraform" not in file.parts:
            yield file, file.read_text(encoding="utf-8")


def test_it_is_formatted(configuration: Configuration) -> None:
    """Prevents changes of form in the middle of changes of content."""
    done = configuration.run("fmt", "-check", "-diff", "-recursive")
    assert done.returncode == 0, done.stdout


def test_it_is_valid(configuration: Configuration) -> None:
    """Prevents an argument that the provider does not know."""
    configuration.succeed("validate", "-no-color")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_environment_can_be_planned_at_once(configuration: Configuration, environment: str) -> None:
    """Prevents a first deployment in steps: no key may depend on what is known after the apply only."""
    assert configuration.plan(environment).resources


def test_every_environment_is_tested() -> None:
    """Prevents an example that was never planned."""
    assert sorted(file.stem for file in (FOLDER / "environments").glob("*.tfvars")) == ["dev", "prod"]


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_variables_and_outputs_are_sorted_and_described(kind: str) -> None:
    """Prevents a reader's search through a module's interface."""
    for file, text in texts():
        names = [name for found, name in BLOCK.findall(text) if found == kind]
        assert names == sorted(names), file
        if names:
            assert file.name == f"{kind}s.tf"
        bodies = re.findall(rf'^{kind} "\w+" \{{\n(.*?)^\}}', text, re.MULTILINE | re.DOTALL)
        assert all("  description = " in body for body in bodies), file


def test_keys_come_from_maps() -> None:
    """Prevents the deletion of everything behind a removed element: a list's positions are no names."""
    for file, text in texts():
        for count in re.findall(r"^  count\s*=\s*(.+)$", text, re.MULTILINE):
            assert re.search(r"\? [01] : [01]$", count), f"{file}: count = {count}"


def test_only_two_providers_are_needed() -> None:
    """Prevents a plug-in more to trust, and one whose schema the tests do not have."""
    sources = {source for _, text in texts() for source in re.findall(r'source\s*=\s*"([^."$][^"]*)"', text)}
    assert sources == {"hashicorp/google", "hashicorp/google-beta"}


def test_the_schema_file_holds_what_is_used_and_no_more() -> None:
    """Prevents a schema file that grows with every trial."""
    used = {
        name
        for _, text in texts()
        for kind, name in BLOCK.findall(text)
        if kind == "resource" and name.startswith("google_")
    }
    listed = set().union(*wanted_types().values())
    assert used == listed, "mend tests/terraform/resource_types.txt, then nox -s terraform-schema"


OUT_OF_RANGE = {
    "alert_emails": ['["nobody"]', "e-mail address"],
    "allowed_origins": ['["*"]', "without a wildcard"],
    "budget": ['{"amount":0.5,"billing_account":"0"}', "whole number"],
    "database_id": ["X", "A database id is"],
    "database_location": ["europe", "A location is"],
    "domain": ["api.example.com", "The load balancer needs a domain"],
    "encryption": ['{"rotation_days":0}', "1 to 365 days"],
    "environment": ["Production!", "An environment is"],
    "front_door": ["window", "The front door is"],
    "identity_platform": ['{"authorized_domains":["https://app.example.com/"]}', "An authorized domain is"],
    "log_retention_days": ["0", "1 to 3650 days"],
    "pipeline": [
        '{"account":"me","repository":"r","state_bucket":"b","var_file":"f"}',
        "e-mail of a service account",
    ],
    "project_id": ["x", "A project id has"],
    "project_number": ["one", "A project number has"],
    "rank_tracking": ['{"providers":[{"name":"other","price_per_thousand_minor":1}]}', "The providers are"],
    "rate_limits": ['{"standard":0}', "A rate limit is"],
    "redis": ['{"tier":"GOLD"}', "The tier of Redis"],
    "region": ["mars", "A region is"],
    "runtime": ["python27", "The runtime is"],
    "tenants": ['["A B"]', "A tenant id has"],
}


@pytest.fixture(scope="module")
def variables(configuration: Configuration, tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """The variables alone, which need no provider."""
    alone = replace(configuration, root=tmp_path_factory.mktemp("variables"))
    shutil.copytree(configuration.folder / "environments", alone.folder / "environments")
    shutil.copy(configuration.folder / "variables.tf", alone.folder)
    alone.succeed("init")
    return alone


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_environments_values_are_in_range(variables: Configuration, environment: str) -> None:
    """Prevents the next test from passing because everything is refused."""
    variables.plan(environment)


@pytest.mark.parametrize("variable", OUT_OF_RANGE)
def test_values_out_of_range_are_refused(variables: Configuration, variable: str) -> None:
    """Prevents an apply that stops half-way over a typing mistake."""
    value, message = OUT_OF_RANGE[variable]
    with pytest.raises(TerraformError) as refused:
        variables.plan("dev", {variable: value})
    text = " ".join(str(refused.value).replace("│", " ").split())
    assert message in text
    assert "variables.tf" in text, "the place"


def test_every_variable_is_held_in_its_range() -> None:
    """Prevents a variable without a check."""
    text = (FOLDER / "variables.tf").read_text(encoding="utf-8")
    unchecked = {"deletion_protection", "gradual", "keep_warm"}  # true or false: nothing is out of range
    assert {name for _, name in BLOCK.findall(text)} == set(OUT_OF_RANGE) | unchecked
