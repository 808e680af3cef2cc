"""What the environment says, read once and validated: the only place that reads environment variables."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from common.errors import ConfigurationError

EMULATOR_VARIABLES = (
    "FIRESTORE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "BIGQUERY_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "CLOUD_TASKS_EMULATOR_HOST",
    "FIREBASE_AUTH_EMULATOR_HOST",
)

RATE_LIMITS = (("standard", 60), ("expensive", 10), ("ai", 30), ("failures", 30))
"""Calls a minute by rate tier, unless the environment says otherwise; ``failures`` are credentials that were refused,
by address (``common.gate``)."""

SEARCH_CONSOLE = "https://searchconsole.googleapis.com"
IDENTITY_TOOLKIT = "https://identitytoolkit.googleapis.com"

ACCOUNT_LENGTH = 26
"""Characters of a function's name in the ids of its service accounts; four are left for what the account is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """One deployment's settings.

    Attributes:
        environment: ``local`` (emulators, unsigned tokens) or ``cloud``.
        project: Google Cloud project id.
        region: Region of the functions and of per-tenant data sets.
        database: Firestore database id.
        function: Name of the function this process serves (``K_SERVICE``); empty in the local host, which serves all.
        redis_url: ``redis://host:port/db``; empty means there is no Redis and everything works without.
        function_url: Template of a function's address with ``{function}``.
        invoker: Template of the e-mail of the identity that delivers events to a function, with ``{function}`` or
            ``{account}``, the function's name as ``account_of`` shortens it.
        content_bucket: Bucket of uploaded content.
        report_bucket: Bucket of generated reports.
        audit_bucket: Bucket of the copies of the audit trails' chains; written once, never replaced.
        allowed_origins: Exact origins that browsers may call from.
        forwarded_hops: Which address of ``X-Forwarded-For``, counted from its end, is the caller's (``common.gate``).
        operator_keys_file: File with SHA-256 hashes (``sha256:<hex>``, one a line) of platform operators' keys;
            read again every five minutes, so a mounted secret rotates without a restart.
        cursor_key: Secret that signs pagination cursors.
        rate_limits: Calls a minute by rate tier (document 004); ``XYNERGY_RATE_LIMITS="standard=600,ai=60"`` changes
            those it names.
        fetch_loopback: Whether ``common.fetch`` may call this machine (``XYNERGY_FETCH_LOOPBACK=1``); for tests on the
            local cloud only.
        rank_tracking: Who may be asked for result pages at what price, as JSON (``XYNERGY_RANK_TRACKING``, read by
            ``common.aso.tracking.deployment``); empty: nobody.
        rank_provider_keys: Their keys as a JSON map by provider (``XYNERGY_RANK_PROVIDER_KEYS``, a secret).
        search_console_url: Address of the Search Console API; empty means that it is not called.
        kms_key: The key-encryption key that wraps tenants' data keys: in the cloud a key of Cloud KMS
            (``projects/.../locations/.../keyRings/.../cryptoKeys/...``), at home ``file:`` and the path of a key file.
        oauth_clients: What this deployment is registered as with providers of accounts, as JSON
            (``XYNERGY_OAUTH_CLIENTS``, a secret, read by ``common.tenants.accounts.providers``); empty: with none.
        search_console_calls: Calls to it that a tenant's synchronisation may make a day; each may load rows, and
            BigQuery takes 1,500 load jobs a table and day.
        identity_url: Address of the Identity Toolkit (``XYNERGY_IDENTITY_URL``), which keeps people's accounts; empty
            where there is none.
        emulators: The emulator variables that are set, by name.
    """

    environment: Literal["local", "cloud"]
    project: str
    region: str = "us-central1"
    database: str = "(default)"
    function: str = ""
    redis_url: str = ""
    function_url: str = ""
    invoker: str = ""
    content_bucket: str = ""
    report_bucket: str = ""
    audit_bucket: str = ""
    allowed_origins: tuple[str, ...] = ()
    forwarded_hops: int = 2
    operator_keys_file: str = ""
    cursor_key: str = ""
    rate_limits: tuple[tuple[str, int], ...] = RATE_LIMITS
    log_format: Literal["json", "console"] = "json"
    fetch_loopback: bool = False
    rank_tracking: str = ""
    rank_provider_keys: str = ""
    search_console_url: str = ""
    search_console_calls: int = 1000
    kms_key: str = ""
    oauth_clients: str = ""
    identity_url: str = ""
    emulators: tuple[tuple[str, str], ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether this process runs on the local cloud."""
        return self.environment == "local"

    def emulator(self, variable: str) -> str | None:
        """Return ``host:port`` of an emulator, or None in the cloud."""
        return dict(self.emulators).get(variable)

    def invoker_of(self, function: str) -> str:
        """Return the e-mail of the identity that delivers events to a function; empty if the deployment names none."""
        return self.invoker.replace("{function}", function).replace("{account}", account_of(function))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Raises:
            ConfigurationError: The project is missing; an emulator variable is set outside the local cloud (its
                clients would accept unsigned tokens), or loopback fetching allowed there; the local environment is
                claimed on Cloud Run; or a value cannot be understood.
        """
        env = os.environ if environment is None else environment
        name = env.get("XYNERGY_ENVIRONMENT", "cloud")
        emulators = tuple((variable, env[variable]) for variable in EMULATOR_VARIABLES if env.get(variable))
        if name not in {"local", "cloud"}:
            raise ConfigurationError(f"XYNERGY_ENVIRONMENT is {name!r}; it must be 'local' or 'cloud'")
        if name == "cloud" and emulators:
            names = ", ".join(variable for variable, _ in emulators)
            raise ConfigurationError(f"{names} set outside the local cloud: refusing to start")
        if name == "local" and env.get("K_SERVICE"):
            raise ConfigurationError("XYNERGY_ENVIRONMENT=local on Cloud Run (K_SERVICE is set): refusing to start")
        fetch_loopback = env.get("XYNERGY_FETCH_LOOPBACK", "") == "1"
        if name == "cloud" and fetch_loopback:
            raise ConfigurationError("XYNERGY_FETCH_LOOPBACK set outside the local cloud: refusing to start")
        kms_key = env.get("XYNERGY_KMS_KEY", "")
        if name == "cloud" and kms_key.startswith("file:"):
            raise ConfigurationError("XYNERGY_KMS_KEY names a file outside the local cloud: refusing to start")
        identity_url = env.get("XYNERGY_IDENTITY_URL", "" if name == "local" else IDENTITY_TOOLKIT)
        if name == "cloud" and not identity_url.startswith("https://"):
            raise ConfigurationError("XYNERGY_IDENTITY_URL is no https address outside the local cloud")
        project = env.get("GOOGLE_CLOUD_PROJECT", "")
        if not project:
            raise ConfigurationError("GOOGLE_CLOUD_PROJECT is not set")
        return cls(
            environment="local" if name == "local" else "cloud",
            project=project,
            region=env.get("XYNERGY_REGION", "us-central1"),
            database=env.get("FIRESTORE_DATABASE", "(default)"),
            function=env.get("K_SERVICE", ""),
            redis_url=env.get("REDIS_URL", ""),
            function_url=env.get("XYNERGY_FUNCTION_URL", ""),
            invoker=env.get("XYNERGY_INVOKER", ""),
            content_bucket=env.get("XYNERGY_CONTENT_BUCKET", f"{project}-xynergy-content"),
            report_bucket=env.get("XYNERGY_REPORT_BUCKET", f"{project}-xynergy-reports"),
            audit_bucket=env.get("XYNERGY_AUDIT_BUCKET", f"{project}-xynergy-audit"),
            allowed_origins=tuple(filter(None, env.get("XYNERGY_ALLOWED_ORIGINS", "").split(","))),
            forwarded_hops=max(1, _whole("XYNERGY_FORWARDED_HOPS", env.get("XYNERGY_FORWARDED_HOPS"), 2)),
            operator_keys_file=env.get("XYNERGY_OPERATOR_KEYS_FILE", ""),
            cursor_key=env.get("XYNERGY_CURSOR_KEY", ""),
            rate_limits=_rate_limits(env.get("XYNERGY_RATE_LIMITS", "")),
            log_format="console" if env.get("XYNERGY_LOG_FORMAT") == "console" else "json",
            fetch_loopback=fetch_loopback,
            rank_tracking=env.get("XYNERGY_RANK_TRACKING", ""),
            rank_provider_keys=env.get("XYNERGY_RANK_PROVIDER_KEYS", ""),
            search_console_url=env.get("XYNERGY_SEARCH_CONSOLE_URL", "" if name == "local" else SEARCH_CONSOLE),
            search_console_calls=_whole("XYNERGY_SEARCH_CONSOLE_CALLS", env.get("XYNERGY_SEARCH_CONSOLE_CALLS"), 1000),
            kms_key=kms_key,
            oauth_clients=env.get("XYNERGY_OAUTH_CLIENTS", ""),
            identity_url=identity_url,
            emulators=emulators,
        )


def account_of(function: str) -> str:
    """Return a function's name as service accounts carry it: cut to 26 characters of their 30, told apart by a hash.

    ``terraform/main.tf`` names the accounts in the same way.
    """
    if len(function) <= ACCOUNT_LENGTH:
        return function
    return f"{function[: ACCOUNT_LENGTH - 7].removesuffix('-')}-{hashlib.sha256(function.encode()).hexdigest()[:6]}"


def _whole(name: str, text: str | None, default: int) -> int:
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        raise ConfigurationError(f"{name} is {text!r}; a whole number is needed")
    return int(text)


def _rate_limits(text: str) -> tuple[tuple[str, int], ...]:
    limits = dict(RATE_LIMITS)
    for part in filter(None, (part.strip() for part in text.split(","))):
        tier, _, number = part.partition("=")
        if tier not in limits or not number.isascii() or not number.isdigit() or int(number) < 1:
            raise ConfigurationError(
                f"XYNERGY_RATE_LIMITS has {part!r}; each part is one of {', '.join(limits)}, '=' and a number above 0"
            )
        limits[tier] = int(number)
    return tuple(limits.items())
