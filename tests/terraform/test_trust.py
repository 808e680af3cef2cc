"""Keys, accounts of people and security events: who may use the key, what turns it, and who is told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.terraform.plans import Configuration, Inventory, TerraformError
from tests.terraform.test_identities import runtime
from triggers.manifest import ROOT

Manifest = Mapping[str, Mapping[str, Any]]
DAY = 86_400
MODULES = ROOT / "terraform" / "modules"
USE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


def test_the_key_turns_by_itself_and_goes_slowly(inventory: Inventory) -> None:
    """Prevents a key that wraps for ever, and one whose destruction takes effect before anybody notices."""
    [key] = inventory.of("google_kms_crypto_key")
    [ring] = inventory.of("google_kms_key_ring")
    assert key["purpose"] == "ENCRYPT_DECRYPT"
    assert key["rotation_period"] == f"{90 * DAY}s"
    assert key["destroy_scheduled_duration"] == f"{30 * DAY}s"
    assert key["key_ring"] == ring["id"]
    [function, *_] = inventory.of("google_cloudfunctions2_function")
    assert ring["location"] == function["location"], "data keys are opened where the functions run"


def test_terraform_never_destroys_the_key() -> None:
    """Prevents a plan whose approval makes every tenant's sealed data unreadable."""
    text = (MODULES / "encryption" / "main.tf").read_text(encoding="utf-8")
    assert re.search(r'resource "google_kms_crypto_key".*lifecycle \{\n\s+prevent_destroy = true', text, re.DOTALL)


def test_only_functions_that_say_so_may_use_the_key(inventory: Inventory, manifest: Manifest) -> None:
    """Prevents a function that can open what it has no reason to read, and one that can do more than wrap and open."""
    [key] = inventory.of("google_kms_crypto_key")
    bound = inventory.of("google_kms_crypto_key_iam_member")
    using = {name for name, entry in manifest.items() if "kms:use" in entry["needs"]}
    assert using
    assert {grant["member"] for grant in bound} == {f"serviceAccount:{runtime(inventory, name)}" for name in using}
    assert {(grant["role"], grant["crypto_key_id"]) for grant in bound} == {(USE, key["id"])}
    for grant in inventory.resources:
        if "_iam_" in grant.type and str(grant["role"]).startswith("roles/cloudkms."):
            assert grant.type == "google_kms_crypto_key_iam_member", grant.address
    for function in inventory.of("google_cloudfunctions2_function"):
        told = function.block("service_config")["environment_variables"].get("XYNERGY_KMS_KEY")
        assert told == (key["id"] if function["name"] in using else None), function["name"]


def test_accounts_of_people_are_left_as_they_are_unless_asked_for(inventory: Inventory) -> None:
    """Prevents an apply that switches on what cannot be switched off again."""
    assert not inventory.of("google_identity_platform_config")


@pytest.fixture(scope="module")
def platform(foretold: Configuration) -> Inventory:
    """Development with Identity Platform, and a key in hardware."""
    return foretold.plan(
        "dev",
        {
            "encryption": {"protection_level": "HSM", "rotation_days": 30},
            "identity_platform": {"authorized_domains": ["app.example.com"], "second_factor": True},
        },
    )


def test_people_sign_in_from_our_pages_with_a_password_and_a_second_factor(platform: Inventory) -> None:
    """Prevents accounts without an owner, and people who vanish behind our documents."""
    [config] = platform.of("google_identity_platform_config")
    assert config["authorized_domains"] == ["app.example.com"]
    assert config.block("client", "permissions") == {"disabled_user_deletion": True, "disabled_user_signup": False}
    assert config.block("sign_in", "anonymous")["enabled"] is False
    assert config.block("sign_in", "email")["password_required"] is True
    assert config.block("mfa")["state"] == "MANDATORY"


def test_the_key_can_be_in_hardware(platform: Inventory) -> None:
    """Prevents a variable that nothing reads."""
    [key] = platform.of("google_kms_crypto_key")
    assert key.block("version_template")["protection_level"] == "HSM"
    assert key["rotation_period"] == f"{30 * DAY}s"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("encryption", {"protection_level": "GOLD"}, "SOFTWARE or HSM"),
        ("encryption", {"rotation_days": 1.5}, "1 to 365 days"),
        ("identity_platform", {"authorized_domains": []}, "one at least is needed"),
    ],
)
def test_other_values_are_refused(configuration: Configuration, variable: str, value: object, message: str) -> None:
    """Prevents an apply that stops half-way."""
    with pytest.raises(TerraformError) as refused:
        configuration.plan("dev", {variable: value})
    assert message in " ".join(str(refused.value).replace("│", " ").split())


def test_security_events_are_kept_longer_than_other_lines(inventory: Inventory) -> None:
    """Prevents an audited refusal that is gone with the debugging."""
    buckets = inventory.named("google_logging_project_bucket_config", "bucket_id")
    [sink] = [sink for sink in inventory.of("google_logging_project_sink") if sink["name"] == "xynergy-audit"]
    assert "jsonPayload.audit = true" in sink["filter"]
    text = (MODULES / "observability" / "main.tf").read_text(encoding="utf-8")
    assert "logging.googleapis.com/${google_logging_project_bucket_config.audit.id}" in text
    assert sink["unique_writer_identity"] is True
    assert buckets["xynergy-audit"]["retention_days"] == 400 > buckets["_Default"]["retention_days"]


def test_copies_that_are_not_made_are_told_of(inventory: Inventory) -> None:
    """Prevents a weekly export that has failed for a year when it is needed."""
    watched = "".join(
        alert.block("conditions", "condition_matched_log").get("filter", "")
        for alert in inventory.of("google_monitoring_alert_policy")
    )
    [export] = [job for job in inventory.of("google_cloud_scheduler_job") if job["name"].endswith("firestore-export")]
    assert f'resource.labels.job_id = "{export["name"]}" AND severity >= ERROR' in watched
    assert 'protoPayload.methodName : "ExportDocuments" AND severity >= ERROR' in watched
    assert inventory.of("google_bigquery_data_transfer_config")
    assert 'resource.type = "bigquery_dts_config" AND severity >= ERROR' in watched


def test_a_refused_client_of_a_provider_is_told_of(inventory: Inventory) -> None:
    """Prevents linked accounts that all stop at once, in a log that nobody reads."""
    message = "an OAuth client is refused"
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "common").rglob("*.py"))
    assert f'"{message}"' in code
    metrics = inventory.named("google_logging_metric")
    assert f'jsonPayload.message = "{message}"' in metrics["xynergy/oauth_client_refused"]["filter"]
    alerts = [json.dumps(alert.values) for alert in inventory.of("google_monitoring_alert_policy")]
    assert any("xynergy/oauth_client_refused" in alert for alert in alerts)
