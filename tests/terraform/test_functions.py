"""Every entry of the manifest is deployed, from its own bundle, and fired by what it declares; nothing else is."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tests.terraform.plans import Configuration, Inventory, Resource
from triggers.deploy.sizes import cpu_of
from triggers.manifest import ROOT

Manifest = Mapping[str, Mapping[str, Any]]
SUBSCRIPTION = "google_pubsub_subscription"
EXPORT = "xynergy-firestore-export"
"""The one job that calls Google and no function of ours."""
NEVER = [{"ttl": ""}]


def kinds(manifest: Manifest, kind: str) -> dict[str, Mapping[str, Any]]:
    return {name: entry for name, entry in manifest.items() if entry["kind"] == kind}


def set_aside(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """Return the consumers whose messages are set aside when they fail."""
    return {name: entry for name, entry in kinds(manifest, "message").items() if entry["dead_letter"]}


def push(subscription: Resource) -> tuple[str, str, str]:
    """Return the address a subscription delivers to, the token's audience and the account."""
    token = subscription.block("push_config", "oidc_token")
    return subscription.block("push_config")["push_endpoint"], token["audience"], token["service_account_email"]


def functions(inventory: Inventory) -> dict[str, Resource]:
    return inventory.named("google_cloudfunctions2_function")


def url(inventory: Inventory, name: str) -> str:
    """Return a function's address as the plan puts it out."""
    address: str = inventory.plan["planned_values"]["outputs"]["functions"]["value"][name]
    return address


def invoker(inventory: Inventory, name: str) -> str:
    """Return the one account that may call a function that no person calls."""
    [member] = [
        binding["member"]
        for binding in inventory.of("google_cloud_run_v2_service_iam_member")
        if binding["name"] == name and binding["role"] == "roles/run.invoker"
    ]
    return str(member).removeprefix("serviceAccount:")


def test_every_entry_is_deployed(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents an operation that is merged and documented but answers 404, and a function that nobody declares."""
    deployed = functions(inventory)
    assert set(deployed) == set(manifest)
    for name, entry in manifest.items():
        service = deployed[name].block("service_config")
        assert deployed[name].block("build_config")["entry_point"] == entry["entry_point"]
        assert service["available_memory"] == f"{entry['memory']}Mi"
        assert service["timeout_seconds"] == entry["timeout"]
        assert service["max_instance_request_concurrency"] == entry["concurrency"]
        assert service["max_instance_count"] == entry["max_instances"]
        assert service["environment_variables"]["THREADS"] == str(entry["concurrency"])


def test_several_requests_need_a_whole_processor(inventory: Inventory) -> None:
    """Prevents a deployment that Cloud Run refuses: a fraction of a processor serves one request at a time."""
    for function in functions(inventory).values():
        service = function.block("service_config")
        assert service["max_instance_request_concurrency"] == 1 or float(service["available_cpu"]) >= 1, (
            function.address
        )


def test_idle_instances_are_paid_in_production_only(dev: Inventory, prod: Inventory, manifest: Manifest) -> None:
    """Prevents a development project that costs money at night."""
    assert {function.block("service_config")["min_instance_count"] for function in functions(dev).values()} == {0}
    kept = {name: f.block("service_config")["min_instance_count"] for name, f in functions(prod).items()}
    assert kept == {name: entry["min_instances"] for name, entry in manifest.items()}


def test_new_revisions_wait_for_their_traffic_in_production(prod: Inventory) -> None:
    """Prevents an apply that gives untried code all traffic."""
    for function in functions(prod).values():
        assert function.block("service_config")["all_traffic_on_latest_revision"] is False


def test_new_revisions_take_all_traffic_in_development(dev: Inventory) -> None:
    """Prevents an apply, alone, that changes nothing for anybody."""
    for function in functions(dev).values():
        assert function.block("service_config")["all_traffic_on_latest_revision"] is True


def test_processors_are_those_that_are_reckoned_with(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a bill that is reckoned with other machines than those that are deployed."""
    for name, function in functions(inventory).items():
        assert int(function.block("service_config")["available_cpu"]) == cpu_of(manifest[name]["memory"])


TOLD = {
    "audit_chain_broken",
    "job_function_missing",
    "job_lost",
    "job_unreadable",
    "privacy_request_overdue",
    "tenant_erasure_failed",
    "tenant_residue",
    "tenant_setup_failed",
    "warehouse_lag",
}
"""Messages of log lines that somebody has to look at."""


def test_log_lines_that_call_for_somebody_reach_somebody(prod: Inventory) -> None:
    """Prevents a job that is lost, or a table that is not merged, in a log that nobody reads."""
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "common").rglob("*.py"))
    metrics = prod.named("google_logging_metric")
    alerts = [json.dumps(alert.values) for alert in prod.of("google_monitoring_alert_policy")]
    for message in TOLD:
        assert f'"{message}"' in code, "the line is written"
        assert f'jsonPayload.message = "{message}"' in metrics[f"xynergy/{message}"]["filter"]
        assert any(f"logging.googleapis.com/user/xynergy/{message}" in alert for alert in alerts)


def test_bundles_are_named_by_their_content(inventory: Inventory, foretold: Configuration) -> None:
    """Prevents a deployment that never happens: Google deploys again only if the name of the zip changes."""
    bundles = json.loads((foretold.root / "build" / "bundles.json").read_text(encoding="utf-8"))
    uploaded = {resource["name"]: resource for resource in inventory.of("google_storage_bucket_object")}
    for name, function in functions(inventory).items():
        source = function.block("build_config", "source", "storage_source")
        resource = uploaded[source["object"]]
        content = (foretold.folder / resource["source"]).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert digest == bundles[name]["sha256"]
        assert digest[:16] in source["object"], name
        assert source["bucket"] == resource["bucket"]


def test_every_function_has_one_kind_of_caller(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a function that nothing may call, and one that more may call than what it is for."""
    bindings = inventory.of("google_cloud_run_v2_service_iam_member")
    assert {binding["role"] for binding in bindings} == {"roles/run.invoker"}
    assert sorted(binding["name"] for binding in bindings) == sorted(manifest)
    ingress = {name: f.block("service_config")["ingress_settings"] for name, f in functions(inventory).items()}
    for name, entry in manifest.items():
        assert ingress[name] == ("ALLOW_ALL" if entry["kind"] == "http" else "ALLOW_INTERNAL_ONLY"), name


def test_consumers_are_delivered_to(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a consumer whose events go elsewhere, come unauthenticated, or end with an idle month."""
    subscriptions = inventory.named(SUBSCRIPTION)
    topics = inventory.named("google_pubsub_topic")
    for name, entry in set_aside(manifest).items():
        subscription = subscriptions[name]
        assert subscription["topic"] == topics[entry["topic"]]["id"]
        assert push(subscription) == (url(inventory, name), url(inventory, name), invoker(inventory, name))
        assert (subscription["filter"] or "") == entry["subscription_filter"]
        assert bool(subscription["enable_message_ordering"]) is entry["ordered"]
        assert subscription["expiration_policy"] == NEVER
        assert subscription["ack_deadline_seconds"] >= min(600, entry["timeout"]), "redelivered while it still runs"
        retry = subscription.block("retry_policy")
        assert retry["minimum_backoff"] == f"{entry['retry']['minimum']}s"
        assert retry["maximum_backoff"] == f"{entry['retry']['maximum']}s"


def test_nothing_is_dropped_when_a_consumer_fails(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents silent loss: dead letters without a subscription, or with one that expires, vanish."""
    subscriptions = inventory.named(SUBSCRIPTION)
    for name, entry in set_aside(manifest).items():
        policy = subscriptions[name].block("dead_letter_policy")
        assert policy["max_delivery_attempts"] == entry["retry"]["attempts"]
        keepers = [found for found in subscriptions.values() if found["topic"] == policy["dead_letter_topic"]]
        assert all(keeper["expiration_policy"] == NEVER for keeper in keepers)
        assert [keeper["name"] for keeper in keepers if not keeper["push_config"]] == [f"{name}-dead-letter"]
        stores = [keeper for keeper in keepers if keeper["push_config"]]
        assert len(stores) == len(kinds(manifest, "message")) - len(set_aside(manifest))
        for store in stores:
            function, _, failed = store["name"].partition(".")
            assert failed == name
            assert push(store) == (url(inventory, function), url(inventory, function), invoker(inventory, function))


def test_pubsub_may_set_messages_aside(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents dead letters that are declared and never written: Pub/Sub needs both rights, and says nothing."""
    agent = "@gcp-sa-pubsub.iam.gserviceaccount.com"
    subscriptions = inventory.named(SUBSCRIPTION)
    publishers = {
        grant["topic"]
        for grant in inventory.of("google_pubsub_topic_iam_member")
        if grant["role"] == "roles/pubsub.publisher" and grant["member"].endswith(agent)
    }
    subscribers = {
        grant["subscription"]
        for grant in inventory.of("google_pubsub_subscription_iam_member")
        if grant["role"] == "roles/pubsub.subscriber" and grant["member"].endswith(agent)
    }
    failing = set_aside(manifest)
    assert publishers == {subscriptions[name].block("dead_letter_policy")["dead_letter_topic"] for name in failing}
    assert subscribers == {subscriptions[name]["id"] for name in failing}


def test_dead_letters_are_announced(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a consumer that fails for weeks before somebody looks."""
    alerts = [json.dumps(alert.values) for alert in inventory.of("google_monitoring_alert_policy")]
    for name in set_aside(manifest):
        metric = "pubsub.googleapis.com/subscription/dead_letter_message_count"
        assert any(metric in alert and f'\\"{name}\\"' in alert for alert in alerts), name


def test_alerts_reach_somebody(prod: Inventory) -> None:
    """Prevents alerts that nobody gets."""
    assert prod.of("google_monitoring_notification_channel")
    for alert in prod.of("google_monitoring_alert_policy"):
        assert alert["notification_channels"], alert.address


def test_relays_see_every_document_change(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents changes that no event tells of: without a retry, a change whose relay fails is dropped for good."""
    deployed = functions(inventory)
    [database] = inventory.of("google_firestore_database")
    region = {"nam5": "us-central1", "eur3": "europe-west4"}.get(database["location_id"], database["location_id"])
    for name, entry in kinds(manifest, "document").items():
        trigger = deployed[name].block("event_trigger")
        assert trigger["event_type"] == f"google.cloud.firestore.document.v1.{entry['change']}"
        assert trigger["retry_policy"] == "RETRY_POLICY_RETRY"
        assert trigger["trigger_region"] == database["location_id"], "a trigger stands where the database stands"
        assert deployed[name]["location"] == region
        assert trigger["service_account_email"] == invoker(inventory, name)
        filters = {found["attribute"]: (found["operator"] or "", found["value"]) for found in trigger["event_filters"]}
        assert filters == {"database": ("", database["name"]), "document": ("match-path-pattern", entry["path"])}
    triggered = {name for name, function in deployed.items() if function["event_trigger"]}
    assert triggered == set(kinds(manifest, "document")), "other kinds have no hidden subscription"


def test_schedules_call_their_functions(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a nightly job that never runs, or runs as somebody else."""
    jobs = inventory.named("google_cloud_scheduler_job")
    assert set(jobs) == set(kinds(manifest, "schedule")) | {EXPORT}
    del jobs[EXPORT]
    for name, job in jobs.items():
        entry, target = manifest[name], job.block("http_target")
        token = job.block("http_target", "oidc_token")
        assert (job["schedule"], job["time_zone"]) == (entry["cron"], entry["time_zone"])
        assert job.block("retry_config")["retry_count"] == entry["attempts"] - 1
        assert int(job["attempt_deadline"].removesuffix("s")) >= min(1800, entry["timeout"])
        assert target["uri"] == token["audience"] == url(inventory, name)
        assert token["service_account_email"] == invoker(inventory, name)


def test_queues_limit_what_they_deliver(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a queue that floods its function, and one that gives up early."""
    queues = inventory.named("google_cloud_tasks_queue")
    assert set(queues) == set(kinds(manifest, "task"))
    for name, queue in queues.items():
        entry, limits, retry = manifest[name], queue.block("rate_limits"), queue.block("retry_config")
        assert limits["max_dispatches_per_second"] == entry["dispatches_per_second"]
        assert limits["max_concurrent_dispatches"] == entry["concurrent_dispatches"]
        assert retry["max_attempts"] == entry["retry"]["attempts"]
        assert retry["min_backoff"] == f"{entry['retry']['minimum']}s"
        assert retry["max_backoff"] == f"{entry['retry']['maximum']}s"


def test_topics_are_those_of_the_manifest(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a topic that is published to and does not exist, and one that nobody reads or writes."""
    named = {entry["topic"] for entry in set_aside(manifest).values()}
    named |= {
        need.removeprefix("pubsub:publish:")
        for entry in manifest.values()
        for need in entry["needs"]
        if need.startswith("pubsub:publish:")
    }
    named |= {f"{name}-dead-letter" for name in set_aside(manifest)}
    assert set(inventory.named("google_pubsub_topic")) == named


def test_every_route_leads_to_its_function(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a documented route that the front door does not know."""
    [config] = inventory.of("google_api_gateway_api_config")
    document = json.loads(base64.b64decode(config.block("openapi_documents", "document")["contents"]))
    for name, entry in kinds(manifest, "http").items():
        backend = document["paths"][entry["path"]][entry["method"].lower()]["x-google-backend"]
        assert backend["address"] == backend["jwt_audience"] == url(inventory, name)
        assert backend["deadline"] >= min(600, entry["timeout"]), "the gateway gives up before the function"
