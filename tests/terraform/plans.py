"""Terraform at work on a copy of the configuration: checks, plans, and what a plan holds, resource by resource."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from triggers.bundle import build_bundles
from triggers.manifest import ROOT

INSTALL = "terraform 1.9 or newer is not on the PATH: install it from https://developer.hashicorp.com/terraform/install"
READ = ("triggers", "common")
"""Folders whose JSON files the configuration reads."""

BACKEND = "backend_override.tf"
LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One planned resource.

    Attributes:
        address: Its address, with modules and key.
        type: Its type.
        values: Its arguments, and those attributes that are known.
    """

    address: str
    type: str
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def block(self, *names: str) -> Mapping[str, Any]:
        """Return a block that exists at most once, by the path to it; empty where there is none."""
        values = self.values
        for name in names:
            found = values.get(name) or [{}]
            values = found[0] if isinstance(found, list) else found
        return values


@dataclass(frozen=True)
class Inventory:
    """What a plan would create.

    Attributes:
        plan: The plan, as ``terraform show -json`` gives it.
    """

    plan: Mapping[str, Any]

    @cached_property
    def resources(self) -> list[Resource]:
        """Every planned resource of every module."""
        return list(_resources(self.plan["planned_values"]["root_module"]))

    def of(self, *types: str) -> list[Resource]:
        """Return the resources of some types."""
        return [resource for resource in self.resources if resource.type in types]

    def named(self, type_: str, attribute: str = "name") -> dict[str, Resource]:
        """Return the resources of a type by name."""
        return {resource[attribute]: resource for resource in self.of(type_)}


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for found in module.get("resources", []):
        if found["mode"] == "managed":
            yield Resource(address=found["address"], type=found["type"], values=found["values"])
    for child in module.get("child_modules", []):
        yield from _resources(child)


class TerraformError(AssertionError):
    """Terraform refused; the message is what it wrote."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A copy of everything that Terraform reads, to plan and to break.

    Attributes:
        root: Folder with the copy.
        binary: Path of ``terraform``.
        environment: Environment variables of the provider.
    """

    root: Path
    binary: str
    environment: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Folder of the root module."""
        return self.root / "terraform"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform in the root module, whatever comes of it."""
        return subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment, "TF_DATA_DIR": str(self.root / "data")},
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, *arguments: str) -> str:
        """Run Terraform and return what it wrote.

        Raises:
            TerraformError: It failed.
        """
        done = self.run(*arguments)
        if done.returncode != 0:
            raise TerraformError(f"terraform {' '.join(arguments)}\n{done.stderr or done.stdout}")
        return done.stdout

    def plan(self, environment: str, variables: Mapping[str, Any] | None = None) -> Inventory:
        """Plan an environment from nothing.

        Args:
            environment: Name of a file in ``environments``.
            variables: Values instead of those in the file.

        Raises:
            TerraformError: The configuration is refused.
        """
        given = [
            f"-var={name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in (variables or {}).items()
        ]
        file = self.root / f"{environment}.plan"
        self.succeed(
            "plan",
            "-no-color",
            "-input=false",
            "-lock=false",
            f"-var-file=environments/{environment}.tfvars",
            *given,
            f"-out={file}",
        )
        return Inventory(json.loads(self.succeed("show", "-json", str(file))))

    def copy(self, root: Path) -> Configuration:
        """Return a copy that is already initialised; the zips, which nobody changes, are shared."""
        shutil.copytree(self.root, root, symlinks=True, ignore=shutil.ignore_patterns("bundles", "*.plan"))
        (root / "build" / "bundles").symlink_to((self.root / "build" / "bundles").resolve())
        return Configuration(root=root, binary=self.binary, environment=self.environment)

    def replace(self, file: str, before: str, after: str) -> None:
        """Change a file of the copy; what is to be changed must be there once or more.

        Raises:
            LookupError: It is not there: the test is older than the configuration.
        """
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        if before not in text:
            raise LookupError(f"{file} has no {before!r}")
        path.write_text(text.replace(before, after), encoding="utf-8")


def prepare(root: Path, binary: str, environment: Mapping[str, str], source: Path = ROOT) -> Configuration:
    """Copy the configuration and what it reads, build the bundles it deploys, and initialise it."""
    shutil.copytree(
        source / "terraform", root / "terraform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*")
    )
    for folder in READ:
        (root / folder).mkdir(parents=True)
        for file in (source / folder).glob("*.json"):
            shutil.copy(file, root / folder)
    build_bundles(source, root / "build")
    (root / "terraform" / BACKEND).write_text(LOCAL_STATE, encoding="utf-8")
    configuration = Configuration(root=root, binary=binary, environment=environment)
    configuration.succeed("init", "-no-color", "-input=false")
    return configuration
