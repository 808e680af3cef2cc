"""The settings of a site: defaults, replacement with a version, hosts in one form, and what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from common.aso.site import service
from common.aso.site.models import AsoSettings, CompetitorSet, SettingsInput
from common.context import Context
from common.errors import PreconditionFailed, Unprocessable


def put(context: Context, **fields: Any) -> AsoSettings:
    return service.put(context, SettingsInput.model_validate(fields)).value


def refusal(context: Context, **fields: Any) -> tuple[str, str]:
    with pytest.raises(Unprocessable) as caught:
        put(context, **fields)
    return caught.value.code, caught.value.errors[0].pointer


def test_nothing_set_is_the_defaults_under_version_zero(context: Context) -> None:
    record = service.get(context)
    assert (record.etag, record.value.created_at) == ('"0"', None)
    site = service.site_of(context)
    assert (site.hosts, site.competitors, site.tracking.enabled) == ((), (), False)


def test_hosts_are_kept_in_one_form_and_once(context: Context) -> None:
    stored = put(
        context,
        site_hosts=["https://www.Example.com/shop?x=1", "example.com.", "bücher.example"],
        competitors=["https://blog.rival.co.uk/post", "rival.co.uk", "OTHER.org:443"],
        brand_terms=["Acme", "ACME ", "Acme Tools"],
        search_console_site="sc-domain:example.com",
        timezone="Europe/Berlin",
        value_per_visit_minor=45,
        currency="EUR",
    )
    assert stored.site_hosts == ["example.com", "xn--bcher-kva.example"]
    assert stored.competitors == ["rival.co.uk", "other.org"]
    site = service.site_of(context)
    assert site.owns("https://shop.example.com/a")
    assert not site.owns("https://example.org")
    assert site.competitor_of("https://news.rival.co.uk/x") == "rival.co.uk"
    assert site.competitor_of("https://example.com") is None
    assert site.is_brand("cheap  ACME tools")
    assert not site.is_brand("acmeology")


def test_the_version_guards_against_lost_changes(context: Context) -> None:
    first = service.put(dataclasses.replace(context, if_match='"0"'), SettingsInput(site_hosts=["example.com"]))
    with pytest.raises(PreconditionFailed):
        service.put(dataclasses.replace(context, if_match='"0"'), SettingsInput())
    same = service.put(dataclasses.replace(context, if_match=first.etag), SettingsInput(site_hosts=["example.com"]))
    assert same.etag == first.etag
    replaced = service.put(dataclasses.replace(context, if_match=first.etag), SettingsInput())
    assert replaced.value.site_hosts == []
    assert replaced.value.created_at == first.value.created_at


def test_competitors_are_replaced_alone(context: Context) -> None:
    put(context, site_hosts=["example.com"], brand_terms=["acme"])
    changed = service.set_competitors(context, CompetitorSet(competitors=["https://a.rival.com/x"])).value
    assert (changed.competitors, changed.brand_terms) == (["rival.com"], ["acme"])
    with pytest.raises(Unprocessable, match="own hosts"):
        service.set_competitors(context, CompetitorSet(competitors=["shop.example.com", "example.com"]))


def test_what_cannot_be_is_refused_where_it_is(context: Context) -> None:
    assert refusal(context, site_hosts=["example.com", "not a host"]) == ("invalid_host", "/site_hosts/1")
    assert refusal(context, site_hosts=["co.uk"]) == ("invalid_host", "/site_hosts/0")
    assert refusal(context, site_hosts=["http://127.0.0.1/"]) == ("invalid_host", "/site_hosts/0")
    assert refusal(context, competitors=["localhost"]) == ("invalid_host", "/competitors/0")
    assert refusal(context, site_hosts=["a.com"], competitors=["a.com"]) == ("own_host", "/competitors/0")
    assert refusal(context, value_per_visit_minor=3) == ("currency_required", "/currency")
    assert refusal(context, timezone="Mars/Olympus") == ("unknown_timezone", "/timezone")
    assert refusal(context, timezone="../etc/passwd") == ("unknown_timezone", "/timezone")
    assert refusal(context, search_console_site="example.com") == ("invalid_property", "/search_console_site")
    assert service.get(context).etag == '"0"'


def test_a_thousand_competitors_are_too_many() -> None:
    with pytest.raises(ValidationError, match="at most 20"):
        CompetitorSet(competitors=[f"rival-{number}.com" for number in range(1000)])
