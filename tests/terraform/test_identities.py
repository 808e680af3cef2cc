"""Who may do what: an account per function with what its declaration names, and one per delivery that only delivers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from common.settings import Settings
from tests.terraform.plans import Configuration, Inventory, Resource
from triggers.manifest import ROOT

Manifest = Mapping[str, Mapping[str, Any]]

ROLES = {
    "bigquery:administer": {"roles/bigquery.user", "roles/bigquery.dataEditor"},
    "bigquery:erase": {"roles/bigquery.dataOwner"},
    "bigquery:read": {"roles/bigquery.jobUser", "roles/bigquery.dataViewer"},
    "bigquery:write": {"roles/bigquery.jobUser", "roles/bigquery.dataEditor"},
    "firebase:administer": {"roles/firebaseauth.admin"},
    "firestore:read": {"roles/datastore.viewer"},
    "firestore:write": {"roles/datastore.user"},
    "kms:use": {"roles/cloudkms.cryptoKeyEncrypterDecrypter"},
    "pubsub:publish": {"roles/pubsub.publisher"},
    "redis:use": set(),
    "storage:archive": {"roles/storage.objectCreator", "roles/storage.objectViewer"},
    "storage:read": {"roles/storage.objectViewer"},
    "storage:sign": {"roles/iam.serviceAccountTokenCreator"},
    "storage:write": {"roles/storage.objectUser"},
    "tasks:enqueue": {"roles/cloudtasks.enqueuer", "roles/iam.serviceAccountUser"},
}
"""What a declared permission may become. Written a second time on purpose: who widens a role does it in two places."""

INCLUDED = {"firestore:read": "firestore:write", "bigquery:read": "bigquery:write", "storage:read": "storage:write"}

ON_THE_PROJECT = {
    "roles/bigquery.jobUser": "running a query or a load is a right on the project; the role reads no data",
    "roles/bigquery.metadataViewer": "the snapshots look for tenants' tables by name; the role reads no data",
    "roles/bigquery.user": "creating a data set is a right on the project; only the provisioning function has it",
    "roles/eventarc.eventReceiver": "Eventarc gives no finer resource; the role receives events and nothing else",
    "roles/firebaseauth.admin": "accounts have no finer resource; only the follower of people's documents has it",
    "roles/logging.logWriter": "build logs have no finer resource; the role only appends",
}
"""Roles without a condition, which the whole project therefore grants, each with the reason why no finer one exists."""

PUBLIC = {"allUsers", "allAuthenticatedUsers"}
FORBIDDEN = ("roles/owner", "roles/editor", "roles/viewer", "Admin", ".admin")
NARROW = {
    "roles/firebaseauth.admin": "administers accounts of people only; no smaller role sets custom claims",
    "roles/datastore.importExportAdmin": "exports and imports one database and does nothing else; none is narrower",
}
"""Roles that are named like broad ones and are not, each with the reason."""


def grants(inventory: Inventory) -> list[Resource]:
    """Return everything that gives a role to somebody."""
    return [resource for resource in inventory.resources if "_iam_" in resource.type]


def held(inventory: Inventory, account: str) -> list[Resource]:
    return [grant for grant in grants(inventory) if grant["member"] == f"serviceAccount:{account}"]


def runtime(inventory: Inventory, name: str) -> str:
    """Return the account a function runs as."""
    function = inventory.named("google_cloudfunctions2_function")[name]
    return str(function.block("service_config")["service_account_email"])


def expected(entry: Mapping[str, Any]) -> set[str]:
    """Return the roles that the needs of a function come to, each need having a reason."""
    roles: set[str] = set()
    for need, reason in entry["needs"].items():
        assert len(reason.split()) >= 2, need
        kind = ":".join(need.split(":")[:2])
        if INCLUDED.get(kind) not in entry["needs"]:
            roles |= ROLES[kind]
    return roles


def test_functions_hold_what_they_declare(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a right without a reason, and a function that fails for the right it asked for."""
    for name, entry in manifest.items():
        roles = {grant["role"] for grant in held(inventory, runtime(inventory, name))}
        assert roles - {"roles/secretmanager.secretAccessor"} == expected(entry), name


def test_the_reasons_can_be_read_in_the_plan(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a review that sees rights and not why."""
    told = inventory.plan["planned_values"]["outputs"]["grants"]["value"]
    for name, entry in manifest.items():
        kept = {need: why for need, why in entry["needs"].items() if INCLUDED.get(need) not in entry["needs"]}
        assert told[name] == kept


def test_every_function_has_an_account_of_its_own(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents two functions that share rights, and Google's default account, which may edit the whole project."""
    accounts = [runtime(inventory, name) for name in manifest]
    assert len(set(accounts)) == len(manifest)
    made = {account["email"] for account in inventory.of("google_service_account")}
    assert set(accounts) <= made
    for account in inventory.of("google_service_account"):
        assert 6 <= len(account["account_id"]) <= 30, account["account_id"]


def test_deliveries_may_do_nothing_but_deliver(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a leaked delivery token that opens a second door."""
    for account in inventory.of("google_service_account"):
        if not account["account_id"].endswith("-inv"):
            continue
        found = {(grant["role"], grant["name"] or "") for grant in held(inventory, account["email"])}
        roles = [role for role, _ in found]
        assert roles.count("roles/run.invoker") == 1, account["account_id"]
        assert set(roles) <= {"roles/run.invoker", "roles/eventarc.eventReceiver"}
        [called] = [name for role, name in found if role == "roles/run.invoker"]
        assert manifest[called]["kind"] != "http"
        assert ("roles/eventarc.eventReceiver" in roles) is (manifest[called]["kind"] == "document")


def test_functions_expect_the_account_that_delivers(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a function that refuses its own deliveries: both sides derive the account's name."""
    functions = inventory.named("google_cloudfunctions2_function")
    for binding in inventory.of("google_cloud_run_v2_service_iam_member"):
        name = binding["name"]
        if manifest[name]["kind"] != "http":
            environment = functions[name].block("service_config")["environment_variables"]
            settings = Settings.from_environment(environment)
            assert binding["member"] == f"serviceAccount:{settings.invoker_of(name)}"


def test_nobody_from_outside_may_call(inventory: Inventory) -> None:
    """Prevents an operation that is open to everybody: the front door calls with an identity of its own."""
    assert not [grant.address for grant in grants(inventory) if grant["member"] in PUBLIC]
    [gateway] = inventory.of("google_api_gateway_api_config")
    account = gateway.block("gateway_config", "backend_config")["google_service_account"]
    assert {grant["role"] for grant in held(inventory, account)} == {"roles/run.invoker"}


@pytest.fixture(scope="module")
def balanced(foretold: Configuration) -> Inventory:
    """Production behind a load balancer."""
    return foretold.plan("prod", {"front_door": "load_balancer", "domain": "api.example.com"})


def test_only_the_load_balancer_reaches_open_functions(balanced: Inventory, manifest: Manifest) -> None:
    """Prevents a way around the load balancer and its limits: it has no identity, the network keeps others out."""
    functions = balanced.named("google_cloudfunctions2_function")
    public = {grant["name"] for grant in grants(balanced) if grant["member"] in PUBLIC}
    assert public == {name for name, entry in manifest.items() if entry["kind"] == "http"}
    for name in public:
        assert functions[name].block("service_config")["ingress_settings"] == "ALLOW_INTERNAL_AND_GCLB"
    assert not balanced.of("google_api_gateway_gateway"), "one front door"


def test_behind_a_load_balancer_nothing_takes_calls_from_the_internet(balanced: Inventory) -> None:
    """Prevents functions that admit everyone and can be reached by everyone: open ingress stays with the gateway."""
    ingress = {
        function["name"]: function.block("service_config")["ingress_settings"]
        for function in balanced.of("google_cloudfunctions2_function")
    }
    assert set(ingress.values()) == {"ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"}


PIPELINE = {
    "account": "deployer@xynergy-prod.iam.gserviceaccount.com",
    "repository": "projects/xynergy-prod/locations/us-central1/connections/hub/repositories/xynergy",
    "state_bucket": "xynergy-prod-terraform",
    "var_file": "environments/prod.tfvars",
}


@pytest.fixture(scope="module")
def piped(foretold: Configuration) -> Inventory:
    """Production with a pipeline."""
    return foretold.plan("prod", {"pipeline": PIPELINE})


def test_the_pipeline_may_try_what_it_deploys(piped: Inventory, manifest: Manifest) -> None:
    """Prevents smoke tests that are refused, and a pipeline that may deliver events; its other rights are no part."""
    found = held(piped, PIPELINE["account"])
    assert {grant["role"] for grant in found} == {"roles/run.invoker"}
    assert {grant["name"] for grant in found} == {name for name, entry in manifest.items() if entry["kind"] == "http"}
    assert PIPELINE["account"] not in {account["email"] for account in piped.of("google_service_account")}
    [trigger] = piped.of("google_cloudbuild_trigger")
    assert (ROOT / trigger["filename"]).is_file()
    assert trigger["service_account"].endswith(PIPELINE["account"])
    assert trigger.block("approval_config")["approval_required"] is True


def test_no_role_is_broad(inventory: Inventory) -> None:
    """Prevents the shortcut that makes everything work: an editor's role, or an administrator's."""
    broad = [
        grant.address
        for grant in grants(inventory)
        if grant["role"] not in NARROW and any(word in grant["role"] for word in FORBIDDEN)
    ]
    assert not broad


def test_backups_can_make_backups_only(inventory: Inventory) -> None:
    """Prevents a backup account that reads on behalf of somebody else, or that a function runs as."""
    account = "xynergy-backup@" + inventory.of("google_service_account")[0]["email"].partition("@")[2]
    roles = {grant["role"] for grant in held(inventory, account)}
    assert roles == {
        "roles/bigquery.dataEditor", "roles/bigquery.dataViewer", "roles/bigquery.jobUser",
        "roles/bigquery.metadataViewer", "roles/datastore.importExportAdmin", "roles/storage.objectUser",
    }  # fmt: skip
    functions = inventory.of("google_cloudfunctions2_function")
    assert account not in {function.block("service_config")["service_account_email"] for function in functions}


def test_no_member_is_a_group_of_strangers(inventory: Inventory) -> None:
    """Prevents a grant to a domain, a group or everybody, which grows without a review."""
    for grant in grants(inventory):
        assert str(grant["member"]).startswith("serviceAccount:"), grant.address
        assert "*" not in str(grant["member"]), grant.address


def test_grants_on_the_project_are_bounded(inventory: Inventory) -> None:
    """Prevents a right on one database that is a right on all: a condition names it, or a reason stands above."""
    for grant in inventory.of("google_project_iam_member", "google_project_iam_binding"):
        if grant["role"] in ON_THE_PROJECT:
            continue
        condition = grant.block("condition")
        assert condition, grant.address
        for part in condition["expression"].split(" || "):
            assert part.startswith(("resource.name == ", "resource.name.startsWith(")), grant.address
        assert len(condition["description"].split()) >= 2, grant.address


def test_grants_are_added_never_replaced(inventory: Inventory) -> None:
    """Prevents an apply that takes the rights of everything else in the project away."""
    assert not [grant.address for grant in grants(inventory) if not grant.type.endswith("_iam_member")]


def used_secrets(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for name, function in inventory.named("google_cloudfunctions2_function").items():
        service = function.block("service_config")
        for secret in [*service["secret_environment_variables"], *service["secret_volumes"]]:
            yield name, secret["secret"]


def test_secrets_are_read_by_who_uses_them(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a secret that other functions can read, and a revision that never starts because it cannot."""
    readers: dict[str, set[str]] = defaultdict(set)
    for grant in inventory.of("google_secret_manager_secret_iam_member"):
        assert grant["role"] == "roles/secretmanager.secretAccessor"
        readers[grant["secret_id"]].add(grant["member"])
    users: dict[str, set[str]] = defaultdict(set)
    for name, secret in used_secrets(inventory):
        users[secret].add(f"serviceAccount:{runtime(inventory, name)}")
    assert readers == users
    for name, entry in manifest.items():
        assert set(entry["secrets"]) <= {secret for function, secret in used_secrets(inventory) if function == name}


def test_secrets_stay_out_of_the_environment(inventory: Inventory) -> None:
    """Prevents a password that everybody who may look at a function can read."""
    made = {secret["secret_id"] for secret in inventory.of("google_secret_manager_secret")}
    for function in inventory.of("google_cloudfunctions2_function"):
        assert not made & set(function.block("service_config")["environment_variables"])


def test_whoever_creates_tasks_may_name_their_account(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents tasks that cannot be created: Cloud Tasks asks for the right to use the delivering account."""
    queues = {(grant["name"], grant["member"]) for grant in inventory.of("google_cloud_tasks_queue_iam_member")}
    usable = {
        (grant["service_account_id"].rpartition("/")[2], grant["member"])
        for grant in inventory.of("google_service_account_iam_member")
        if grant["role"] == "roles/iam.serviceAccountUser"
    }
    invokers = {
        binding["name"]: binding["member"].removeprefix("serviceAccount:")
        for binding in inventory.of("google_cloud_run_v2_service_iam_member")
    }
    needed = {
        (need.removeprefix("tasks:enqueue:"), f"serviceAccount:{runtime(inventory, name)}")
        for name, entry in manifest.items()
        for need in entry["needs"]
        if need.startswith("tasks:enqueue:")
    }
    assert queues == needed
    assert usable == {(invokers[target], member) for target, member in needed}


def test_whoever_signs_links_signs_as_itself_alone(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a function that can make tokens of another account, and with them do whatever that one may."""
    found = {
        (grant["service_account_id"].rpartition("/")[2], grant["member"])
        for grant in inventory.of("google_service_account_iam_member")
        if grant["role"] == "roles/iam.serviceAccountTokenCreator"
    }
    signing = [name for name, entry in manifest.items() if "storage:sign" in entry["needs"]]
    assert signing
    assert found == {(runtime(inventory, name), f"serviceAccount:{runtime(inventory, name)}") for name in signing}
    for name in signing:
        assert {"storage:read", "storage:write"} & manifest[name]["needs"].keys(), (
            "a link opens what its signer may read"
        )


def test_pubsub_may_deliver_as_the_subscriptions_account(inventory: Inventory) -> None:
    """Prevents deliveries without a token, which every function refuses."""
    allowed = {
        grant["service_account_id"].rpartition("/")[2]
        for grant in inventory.of("google_service_account_iam_member")
        if grant["role"] == "roles/iam.serviceAccountOpenIdTokenCreator"
    }
    used = {
        subscription.block("push_config", "oidc_token")["service_account_email"]
        for subscription in inventory.of("google_pubsub_subscription")
        if subscription["push_config"]
    }
    assert allowed == used


def test_functions_find_what_they_are_told(inventory: Inventory) -> None:
    """Prevents a function that looks for a database, bucket or key file that is not there."""
    buckets = set(inventory.named("google_storage_bucket"))
    [database] = inventory.of("google_firestore_database")
    for function in inventory.of("google_cloudfunctions2_function"):
        service = function.block("service_config")
        environment = service["environment_variables"]
        assert environment["FIRESTORE_DATABASE"] == database["name"]
        told = {environment[f"XYNERGY_{name}_BUCKET"] for name in ("AUDIT", "CONTENT", "REPORT")}
        assert told <= buckets
        for volume in service["secret_volumes"]:
            [version] = volume["versions"]
            assert f"{volume['mount_path']}/{version['path']}" == environment["XYNERGY_OPERATOR_KEYS_FILE"]
