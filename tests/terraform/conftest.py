"""Fixtures of the infrastructure's tests: Terraform on a copy of the configuration, and what it plans."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.terraform.plans import INSTALL, Configuration, Inventory, prepare
from tests.terraform.provider_stub import provider_stub
from triggers.manifest import ROOT

REQUIRE = "REQUIRE_TERRAFORM"
"""Set by ``nox -s terraform``: there, and in CI, a missing binary is a failure."""

TENANT = "acme"


@pytest.fixture(scope="session")
def binary() -> str:
    """Path of ``terraform``; without it, its tests fail where they are asked for and are left out elsewhere."""
    found = shutil.which("terraform")
    if found is None and (os.environ.get(REQUIRE) or os.environ.get("CI")):
        pytest.fail(INSTALL)
    if found is None:
        pytest.skip(INSTALL)
    return found


@pytest.fixture(scope="session")
def configuration(binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configuration]:
    """The configuration against a provider that leaves unknown what Google's would leave unknown."""
    with provider_stub() as environment:
        yield prepare(tmp_path_factory.mktemp("configuration") / "root", binary, environment)


@pytest.fixture(scope="session")
def foretold(
    binary: str, tmp_path_factory: pytest.TempPathFactory, configuration: Configuration
) -> Iterator[Configuration]:
    """The configuration against a provider that foretells names, so that plans show what refers to what."""
    with provider_stub(foretell=True) as environment:
        copy = configuration.copy(tmp_path_factory.mktemp("foretold") / "root")
        yield Configuration(root=copy.root, binary=binary, environment=environment)


@pytest.fixture(scope="session")
def dev(foretold: Configuration) -> Inventory:
    """What the development environment would get."""
    return foretold.plan("dev")


@pytest.fixture(scope="session")
def prod(foretold: Configuration) -> Inventory:
    """What the production environment would get, with one tenant whose data set Terraform keeps."""
    return foretold.plan("prod", {"tenants": [TENANT]})


@pytest.fixture(params=["dev", "prod"])
def inventory(request: pytest.FixtureRequest) -> Inventory:
    """Each environment in turn."""
    found: Inventory = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def manifest() -> Mapping[str, Mapping[str, Any]]:
    """Entries of the manifest, by name of the function."""
    document = json.loads((ROOT / "triggers" / "manifest.json").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in document["functions"]}
