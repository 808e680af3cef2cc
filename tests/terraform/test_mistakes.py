"""Configurations that are broken on purpose: Terraform refuses them, or the guard that is meant for them fails."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.terraform import test_functions as functions
from tests.terraform import test_identities as identities
from tests.terraform import test_storage as storage
from tests.terraform.conftest import TENANT
from tests.terraform.plans import Configuration, Inventory, TerraformError

KEPT = {
    "aso-cache-invalidate",
    "aso-content-create",
    "platform-dead-letter-store",
    "platform-health",
    "platform-relay-shared",
    "platform-warehouse-merge",
    "platform-warehouse-merge-table",
}
"""One function of each kind, so that a plan takes a second instead of ten."""

Guard = Callable[..., None]


def cut(configuration: Configuration) -> dict[str, Mapping[str, Any]]:
    """Leave the kept functions in the manifest and in the routes of a copy; return their entries."""
    manifest, openapi = (configuration.root / "triggers" / name for name in ("manifest.json", "openapi.json"))
    entries = [
        entry for entry in json.loads(manifest.read_text(encoding="utf-8"))["functions"] if entry["name"] in KEPT
    ]
    manifest.write_text(json.dumps({"functions": entries}), encoding="utf-8")
    document = json.loads(openapi.read_text(encoding="utf-8"))
    document["paths"] = {
        path: kept
        for path, item in document["paths"].items()
        if (kept := {method: found for method, found in item.items() if found["x-function-name"] in KEPT})
    }
    openapi.write_text(json.dumps(document), encoding="utf-8")
    return {entry["name"]: entry for entry in entries}


@dataclass(frozen=True, kw_only=True)
class Small:
    """A configuration of few functions.

    Attributes:
        configuration: The copy.
        manifest: Its entries.
    """

    configuration: Configuration
    manifest: Mapping[str, Mapping[str, Any]]

    def copy(self, root: Path) -> Small:
        return replace(self, configuration=self.configuration.copy(root))

    def plan(self) -> Inventory:
        return self.configuration.plan("prod", {"tenants": [TENANT]})

    def hold(self, guard: Guard, inventory: Inventory) -> None:
        """Call a guard as pytest would, with the plan in place of any environment's."""
        given = {"manifest": self.manifest, "foretold": self.configuration}
        guard(**{name: given.get(name, inventory) for name in inspect.signature(guard).parameters})


@pytest.fixture(scope="module")
def small(foretold: Configuration, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The configuration with few functions."""
    configuration = foretold.copy(tmp_path_factory.mktemp("small") / "root")
    return Small(manifest=cut(configuration), configuration=configuration)


FUNCTION = "modules/function/main.tf"
SUBSCRIPTION = "modules/subscription/main.tf"
DATABASE = "modules/database/main.tf"
WAREHOUSE = "modules/warehouse/main.tf"
GATEWAY = '{ gateway = "serviceAccount:${local.gateway_account}@${var.project_id}.iam.gserviceaccount.com" }'

MISTAKES: dict[str, tuple[str, str, str, Guard]] = {
    "revisions that take all traffic untried": (
        FUNCTION,
        "!var.gradual",
        "true",
        functions.test_new_revisions_wait_for_their_traffic_in_production,
    ),
    "another machine than is reckoned with": (
        FUNCTION,
        'var.function.memory >= 1024 ? "2"',
        'var.function.memory >= 256 ? "2"',
        functions.test_processors_are_those_that_are_reckoned_with,
    ),
    "lost jobs that nobody hears of": (
        "modules/observability/main.tf",
        'jsonPayload.message = \\"job_lost\\"',
        'jsonPayload.message = \\"job_is_lost\\"',
        functions.test_log_lines_that_call_for_somebody_reach_somebody,
    ),
    "exports that end with the database": (
        "modules/backup/main.tf",
        'gs://${module.bucket.name}"',
        'gs://${var.project_id}-elsewhere"',
        storage.test_exports_and_snapshots_outlive_what_they_copy,
    ),
    "a backup account that may do anything to documents": (
        "modules/backup/main.tf",
        "roles/datastore.importExportAdmin",
        "roles/datastore.owner",
        identities.test_backups_can_make_backups_only,
    ),
    "a function that everybody may call": (
        "main.tf",
        GATEWAY,
        '{ gateway = "allUsers" }',
        identities.test_nobody_from_outside_may_call,
    ),
    "a domain that may deliver": (
        "main.tf",
        "delivery = module.identity[each.key].invoker.member",
        'delivery = "domain:example.com"',
        identities.test_no_member_is_a_group_of_strangers,
    ),
    "an editor's role": (
        "permissions.tf",
        '"roles/datastore.user"',
        '"roles/editor"',
        identities.test_no_role_is_broad,
    ),
    "a right on every database": (
        "permissions.tf",
        '{ "roles/datastore.user" = local._this_database }',
        '{ "roles/datastore.user" = null }',
        identities.test_grants_on_the_project_are_bounded,
    ),
    "a role wider than the need": (
        "permissions.tf",
        '"storage:write" = "roles/storage.objectUser"',
        '"storage:write" = "roles/storage.legacyBucketOwner"',
        identities.test_functions_hold_what_they_declare,
    ),
    "an account for all functions": (
        FUNCTION,
        "service_account_email            = var.runtime.email",
        'service_account_email            = "shared@${var.project_id}.iam.gserviceaccount.com"',
        identities.test_every_function_has_an_account_of_its_own,
    ),
    "a secret that more functions can read than use it": (
        FUNCTION,
        "for_each = var.secrets\n      content {\n        key ",
        "for_each = {}\n      content {\n        key ",
        identities.test_secrets_are_read_by_who_uses_them,
    ),
    "an account that Pub/Sub may not use": (
        SUBSCRIPTION,
        "roles/iam.serviceAccountOpenIdTokenCreator",
        "roles/iam.serviceAccountUser",
        identities.test_pubsub_may_deliver_as_the_subscriptions_account,
    ),
    "tasks that nobody may create": (
        FUNCTION,
        '"roles/iam.serviceAccountUser"',
        '"roles/iam.serviceAccountTokenCreator"',
        identities.test_whoever_creates_tasks_may_name_their_account,
    ),
    "dead letters that nobody keeps": (
        SUBSCRIPTION,
        'name                       = "${var.name}-dead-letter"\n  topic ',
        'name                       = "${var.name}-lost"\n  topic ',
        functions.test_nothing_is_dropped_when_a_consumer_fails,
    ),
    "dead letters that are never set aside": (
        SUBSCRIPTION,
        "dead_letter_topic     = google_pubsub_topic.dead_letter.id",
        "dead_letter_topic     = var.topic",
        functions.test_nothing_is_dropped_when_a_consumer_fails,
    ),
    "a subscription that expires": (
        SUBSCRIPTION,
        'ttl = ""',
        'ttl = "2678400s"',
        functions.test_consumers_are_delivered_to,
    ),
    "a consumer that reads another topic": (
        SUBSCRIPTION,
        "topic                      = var.topic",
        'topic                      = "projects/${var.project_id}/topics/platform-events"',
        functions.test_consumers_are_delivered_to,
    ),
    "Pub/Sub that may not set aside": (
        SUBSCRIPTION,
        '"roles/pubsub.publisher"',
        '"roles/pubsub.viewer"',
        functions.test_pubsub_may_set_messages_aside,
    ),
    "dead letters without an alert": (
        SUBSCRIPTION,
        "subscription/dead_letter_message_count",
        "subscription/ack_message_count",
        functions.test_dead_letters_are_announced,
    ),
    "document changes that are dropped": (
        FUNCTION,
        "RETRY_POLICY_RETRY",
        "RETRY_POLICY_DO_NOT_RETRY",
        functions.test_relays_see_every_document_change,
    ),
    "a schedule for somebody else's ears": (
        "modules/schedule/main.tf",
        "audience              = var.url",
        'audience              = "https://example.com"',
        functions.test_schedules_call_their_functions,
    ),
    "a queue that gives up at once": (
        "modules/queue/main.tf",
        "max_attempts = var.retry.attempts",
        "max_attempts = 1",
        functions.test_queues_limit_what_they_deliver,
    ),
    "a bundle that is named by its function": (
        FUNCTION,
        '"bundles/${var.bundle.file}"',
        '"bundles/${var.function.name}.zip"',
        functions.test_bundles_are_named_by_their_content,
    ),
    "an index in the wrong direction": (
        DATABASE,
        '? "DESCENDING" : "ASCENDING"',
        '? "ASCENDING" : "ASCENDING"',
        storage.test_every_declared_index_is_made,
    ),
    "documents that never expire": (
        DATABASE,
        "contains(declared.ttl, field)",
        "false",
        storage.test_exempt_fields_and_expiry_are_set,
    ),
    "a table without clusters": (
        WAREHOUSE,
        "clustering          = each.value.cluster",
        "clustering          = null",
        storage.test_tables_are_those_of_the_entities,
    ),
    "tables that a destroy takes along": (
        WAREHOUSE,
        "deletion_protection = var.deletion_protection\n\n",
        "deletion_protection = false\n\n",
        storage.test_production_protects_what_holds_data,
    ),
    "a bucket that may be opened": (
        "modules/bucket/main.tf",
        '"enforced"',
        '"inherited"',
        storage.test_buckets_are_private_and_emptied,
    ),
}


def test_guards_hold_before_anything_is_broken(small: Small) -> None:
    """Prevents a guard that fails for another reason than the mistake it is meant for."""
    inventory = small.plan()
    for guard in {guard for *_, guard in MISTAKES.values()}:
        small.hold(guard, inventory)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_guard_fails(small: Small, tmp_path: Path, mistake: str) -> None:
    """Prevents a guard that guards nothing."""
    file, before, after, guard = MISTAKES[mistake]
    broken = small.copy(tmp_path / "root")
    broken.configuration.replace(file, before, after)
    inventory = broken.plan()
    with pytest.raises((AssertionError, LookupError, ValueError, FileNotFoundError)):
        broken.hold(guard, inventory)


Change = Callable[[dict[str, Any]], object]
REFUSED: dict[str, tuple[str, Change, str]] = {
    "an unknown permission": (
        "triggers/manifest.json",
        lambda found: found["functions"][0]["needs"].update({"firestore:erase": "for the sake of order"}),
        "permissions.tf does not know: aso-cache-invalidate: firestore:erase",
    ),
    "a function without a bundle": (
        "build/bundles.json",
        lambda found: found.pop("aso-cache-invalidate"),
        "No bundle of aso-cache-invalidate: run nox -s bundle",
    ),
    "a bundle of another function": (
        "build/bundles.json",
        lambda found: found["platform-health"].update(entry_point="sickness"),
        "no bundle, or one older than the manifest",
    ),
    "routes older than the manifest": (
        "triggers/openapi.json",
        lambda found: found["paths"].pop("/v1/aso/content"),
        "triggers/openapi.json is older than the manifest",
    ),
    "fewer attempts than Pub/Sub takes": (
        "triggers/manifest.json",
        lambda found: found["functions"][0]["retry"].update(attempts=3),
        "Pub/Sub sets messages aside after 5 to 100 attempts",
    ),
    "a task for a function that takes none": (
        "triggers/manifest.json",
        lambda found: found["functions"][1]["needs"].update({"tasks:enqueue:platform-health": "wakes the doctor up"}),
        "A function adds tasks for one that takes none",
    ),
    "an entry without a name": (
        "triggers/manifest.json",
        lambda found: found["functions"][0].pop("name"),
        'This object does not have an attribute named "name"',
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_terraform_refuses(small: Small, tmp_path: Path, mistake: str) -> None:
    """Prevents a declaration that Terraform passes over in silence; the refusal says where."""
    name, change, message = REFUSED[mistake]
    broken = small.copy(tmp_path / "root")
    file = broken.configuration.root / name
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(TerraformError) as refused:
        broken.plan()
    text = " ".join(str(refused.value).replace("│", " ").split())
    assert message in text
    assert ".tf line " in text, "the place"


WORDS = {
    "an argument that does not exist": (FUNCTION, "entry_point       =", "entry_pint       =", "entry_pint"),
    "an argument that is missing": (
        FUNCTION,
        "  location    = var.region\n",
        "",
        'The argument "location" is required',
    ),
    "a word that is not admitted": (
        "main.tf",
        '"ALLOW_ALL"',
        '"ALLOW_EVERYONE"',
        "expected ingress_settings to be one of",
    ),
    "a variable that does not exist": (FUNCTION, "var.keep_warm", "var.keep_warn", "keep_warn"),
}


@pytest.mark.parametrize("mistake", WORDS)
def test_terraform_refuses_words(small: Small, tmp_path: Path, mistake: str) -> None:
    """Prevents a stand-in for the provider that takes anything."""
    file, before, after, message = WORDS[mistake]
    broken = small.copy(tmp_path / "root")
    broken.configuration.replace(file, before, after)
    with pytest.raises(TerraformError) as refused:
        broken.plan()
    assert message in " ".join(str(refused.value).replace("│", " ").split())


def test_a_torn_manifest_is_refused(small: Small, tmp_path: Path) -> None:
    """Prevents a deployment of half a manifest."""
    broken = small.copy(tmp_path / "root")
    file = broken.configuration.root / "triggers" / "manifest.json"
    file.write_text(file.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(TerraformError, match="jsondecode"):
        broken.plan()
