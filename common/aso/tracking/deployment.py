"""Which providers a deployment has, what they charge, and what a tenant may spend at most; none unless it says so.

``XYNERGY_RANK_TRACKING`` holds it as JSON, without any key::

    {"currency": "USD", "checks_per_day": 2000, "spend_per_month_minor": 20000,
     "providers": [{"name": "dataforseo", "price_per_thousand_minor": 200},
                   {"name": "serpapi", "price_per_thousand_minor": 1000}]}

The order of the providers is the order in which they are asked. A price is that of a thousand *pages* of ten results,
in minor units of the currency; what a plan costs is in the contract with the provider, so there is no default. The keys
are in the secret ``XYNERGY_RANK_PROVIDER_KEYS``, a JSON map by provider (``{}`` where there are none), which only the
function that calls providers gets.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, ValidationError, field_validator

from common.aso.models import Currency
from common.aso.site.models import Checks, Minor, ProviderName
from common.errors import ConfigurationError
from common.model import Model
from common.settings import Settings
from common.web_address import FetchRefused, web_address

Name = ProviderName

BASE_URLS: dict[Name, str] = {
    "serpapi": "https://serpapi.com",
    "dataforseo": "https://api.dataforseo.com",
    "serper": "https://google.serper.dev",
    "google_search": "https://customsearch.googleapis.com",
}


class ProviderTerms(Model):
    """One provider of the deployment."""

    name: Name
    price_per_thousand_minor: Minor
    base_url: Annotated[str, Field(max_length=500)] = ""

    @field_validator("base_url")
    @classmethod
    def _can_be_called(cls, url: str) -> str:
        """Refuse what is no address; whether its host may be called is looked at when it is."""
        if url:
            try:
                web_address(url)
            except FetchRefused as error:
                raise ValueError(error.detail) from error
        return url

    @property
    def address(self) -> str:
        """Where it is called, without a trailing slash."""
        return (self.base_url or BASE_URLS[self.name]).rstrip("/")


class Deployment(Model):
    """What a deployment allows; the limits hold for each tenant, below them a tenant may set its own."""

    currency: Currency = "USD"
    providers: list[ProviderTerms] = Field(default_factory=list)
    checks_per_day: Checks | None = None
    checks_per_month: Checks | None = None
    spend_per_day_minor: Minor | None = None
    spend_per_month_minor: Minor | None = None

    def chain(self, wanted: Sequence[ProviderName]) -> list[ProviderTerms]:
        """Return the providers to ask, in order: those wanted that there are, or all if none is wanted."""
        known = {each.name: each for each in self.providers}
        if not wanted:
            return self.providers
        return [known[name] for name in wanted if name in known]


@functools.lru_cache(maxsize=8)
def _read(text: str) -> Deployment:
    try:
        deployment = Deployment.model_validate_json(text) if text else Deployment()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise ConfigurationError(f"XYNERGY_RANK_TRACKING: {place}: {first['msg']}") from error
    names = [each.name for each in deployment.providers]
    if len(set(names)) < len(names):
        raise ConfigurationError("XYNERGY_RANK_TRACKING names a provider twice")
    return deployment


def deployment_of(settings: Settings) -> Deployment:
    """Return what the deployment allows.

    Raises:
        ConfigurationError: The setting cannot be understood, or names a provider nobody has an adapter for.
    """
    return _read(settings.rank_tracking)


def key_of(settings: Settings, name: Name) -> str:
    """Return the key of a provider; empty where there is none.

    Raises:
        ConfigurationError: The secret is no JSON map.
    """
    try:
        keys = json.loads(settings.rank_provider_keys or "{}")
    except ValueError as error:
        raise ConfigurationError("XYNERGY_RANK_PROVIDER_KEYS is no JSON") from error
    if not isinstance(keys, dict):
        raise ConfigurationError("XYNERGY_RANK_PROVIDER_KEYS is no JSON map")
    key = keys.get(name, "")
    return key if isinstance(key, str) else ""
