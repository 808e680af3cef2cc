"""The provider that stands in for Google's: it must refuse what Google's refuses, or every plan proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.terraform.plans import Configuration, Inventory, TerraformError
from tests.terraform.provider_stub import provider_stub
from tests.terraform.schema_source import load, wanted_types

HEAD = """
terraform {
  required_providers {
    google      = { source = "hashicorp/google" }
    google-beta = { source = "hashicorp/google-beta" }
  }
}
provider "google" {
  project = "demo"
  region  = "us-central1"
}
provider "google-beta" {
  project = "demo"
}
"""
Planner = Callable[..., Inventory]


@pytest.fixture
def plan(binary: str, tmp_path: Path) -> Iterator[Planner]:
    """Plan a configuration of one file."""
    with ExitStack() as running:

        def planned(text: str, *, foretell: bool = False) -> Inventory:
            environment = running.enter_context(provider_stub(foretell=foretell))
            configuration = Configuration(root=tmp_path, binary=binary, environment=environment)
            (configuration.folder / "environments").mkdir(parents=True)
            (configuration.folder / "environments" / "none.tfvars").touch()
            (configuration.folder / "main.tf").write_text(HEAD + text, encoding="utf-8")
            configuration.succeed("init", "-backend=false")
            configuration.succeed("validate", "-no-color")
            return configuration.plan("none")

        yield planned


TOPIC = 'resource "google_pubsub_topic" "this" {\n  name = "events"\n}\n'
SUBSCRIPTION = """
resource "google_pubsub_subscription" "this" {
  name  = "reader"
  topic = google_pubsub_topic.this.id
}
"""
SECRET = """
resource "google_secret_manager_secret" "this" {
  secret_id = "KEY"
  replication {
    auto {}
  }
}
"""
BACKEND = """
resource "google_compute_backend_service" "this" {
  name = "x"
  backend {
    group          = "g"
    balancing_mode = "ROUND"
  }
}
"""
LATE = """
resource "google_pubsub_topic" "more" {
  for_each = toset([google_pubsub_topic.this.id])
  name     = each.key
}
"""


def test_what_is_given_is_planned_and_the_rest_unknown(plan: Planner) -> None:
    [topic, subscription] = plan(TOPIC + SUBSCRIPTION).resources[::-1]
    assert topic["name"] == "events"
    assert topic["project"] == "demo", "an argument that the provider's own configuration gives"
    assert "id" not in topic.values, "known after the apply"
    assert "topic" not in subscription.values
    assert topic["kms_key_name"] is None, "an optional argument that nobody gave is absent, not unknown"


def test_names_can_be_foretold(plan: Planner) -> None:
    """Without it no plan could show whether a subscription reads the right topic."""
    planned = plan(
        TOPIC + SUBSCRIPTION + 'resource "google_service_account" "this" {\n  account_id = "reader"\n}\n' + SECRET,
        foretell=True,
    )
    [subscription] = planned.of("google_pubsub_subscription")
    assert subscription["topic"] == "projects/demo/topics/events"
    [account] = planned.of("google_service_account")
    assert account["member"] == "serviceAccount:reader@demo.iam.gserviceaccount.com"
    [secret] = planned.of("google_secret_manager_secret")
    assert secret["id"] == "projects/demo/secrets/KEY"


def test_defaults_are_filled_in(plan: Planner) -> None:
    text = """
resource "google_firestore_database" "this" {
  name        = "(default)"
  location_id = "nam5"
  type        = "FIRESTORE_NATIVE"
}
"""
    [database] = plan(text).resources
    assert database["point_in_time_recovery_enablement"] == "POINT_IN_TIME_RECOVERY_DISABLED"


def test_the_beta_provider_has_its_own_types(plan: Planner) -> None:
    [api] = plan(
        'resource "google_api_gateway_api" "this" {\n  provider = google-beta\n  api_id   = "front"\n}\n'
    ).resources
    assert api["api_id"] == "front"


REFUSED = {
    "data source": ('data "google_project" "this" {}\n', 'does not support data source "google_project"'),
    "unknown argument": (TOPIC.replace("name", "nmae"), 'An argument named "nmae" is not expected here'),
    "missing argument": ('resource "google_pubsub_topic" "this" {}\n', 'The argument "name" is required'),
    "unknown type": (
        'resource "google_pubsub_tropic" "this" {}\n',
        'does not support resource type "google_pubsub_tropic"',
    ),
    "wrong type": (TOPIC + SUBSCRIPTION.replace('"reader"', '"reader"\n  filter = ["a"]'), "string required"),
    "missing block": (
        'resource "google_secret_manager_secret" "this" {\n  secret_id = "KEY"\n}\n',
        'At least 1 "replication" blocks are required',
    ),
    "block twice": (
        TOPIC + SUBSCRIPTION.replace("}\n", "  retry_policy {}\n  retry_policy {}\n}\n"),
        'No more than 1 "retry_policy" blocks are allowed',
    ),
    "word that the argument does not admit": (
        'resource "google_firestore_database" "this" {\n  name = "x"\n  location_id = "nam5"\n  type = "NATIVE"\n}\n',
        "expected type to be one of",
    ),
    "word in a nested block": (
        BACKEND,
        "expected balancing_mode to be one of",
    ),
    "unknown attribute": (
        TOPIC + 'output "x" {\n  value = google_pubsub_topic.this.nome\n}\n',
        "has no argument, nested block",
    ),
    "key that is known too late": (
        TOPIC + LATE,
        "Invalid for_each argument",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_mistakes_are_refused(plan: Planner, mistake: str) -> None:
    text, message = REFUSED[mistake]
    with pytest.raises(TerraformError) as refused:
        plan(text)
    assert message in " ".join(str(refused.value).replace("│", " ").split())


def test_nothing_can_be_applied(plan: Planner, tmp_path: Path, binary: str) -> None:
    plan(TOPIC)
    with provider_stub() as environment:
        done = Configuration(root=tmp_path, binary=binary, environment=environment).run("apply", "-auto-approve")
    assert done.returncode == 1
    assert "only plans" in done.stderr


def test_the_schema_holds_the_listed_types() -> None:
    """A type listed but not recovered, or the other way round: the file is older than the list."""
    for provider, wanted in wanted_types().items():
        schema = load()[f"registry.terraform.io/hashicorp/{provider}"]
        assert set(schema["resource_schemas"]) == wanted
        assert json.dumps(schema).count('"dynamic"') == 0, "a type that could not be recovered"
