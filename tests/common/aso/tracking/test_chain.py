"""The chain of providers, against a server that speaks their shapes: what is asked, read, paid, and passed on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from common.aso.site.service import Site
from common.aso.tracking import chain
from common.aso.tracking.chain import ADAPTERS, Look, breaker_of, look, most
from common.aso.tracking.deployment import Name, deployment_of, key_of
from common.aso.tracking.providers.port import ProviderError
from common.aso.tracking.serp import SerpQuery, is_enough
from common.clients.registry import Clients
from common.context import Context, Deadline
from common.errors import ConfigurationError
from common.settings import Settings
from tests.common.security import context_of
from tests.serp import KEYS, PRICES, SerpServer, serp_server

NAMES: tuple[Name, ...] = ("serpapi", "dataforseo", "serper", "google_search")
EVERY = pytest.mark.parametrize("name", NAMES)
NO_SITE = Site()
RESULTS = [f"https://site-{number}.example.net/page" for number in range(1, 26)]


@pytest.fixture(scope="module")
def running() -> Iterator[SerpServer]:
    with serp_server() as server:
        yield server


@pytest.fixture
def server(running: SerpServer) -> SerpServer:
    running.reset()
    running.results["scan"] = RESULTS
    return running


def context_with(server: SerpServer, *names: str, keys: Any = None, **more: Any) -> Context:
    """Return circumstances with breakers of their own."""
    fields: dict[str, Any] = {
        "environment": "local",
        "project": "test-chain",
        "fetch_loopback": True,
        "rank_tracking": server.deployment(*names),
        "rank_provider_keys": json.dumps(KEYS if keys is None else keys),
        **more,
    }
    return context_of(Clients(Settings(**fields)))


def ask(context: Context, keyword: str = "scan", site: Site = NO_SITE, **query: Any) -> Look:
    terms = deployment_of(context.clients.settings).chain([])
    asked = SerpQuery(**{"keyword": keyword, "locale": "en-US", "device": "desktop", "depth": 30, **query})
    return look(context, terms, asked, lambda serp: is_enough(serp, site))


def failure(context: Context, **query: Any) -> tuple[str, str]:
    found = ask(context, **query)
    assert found.serp is None
    assert found.provider is None
    [failed] = found.failures
    return failed.kind, failed.code


@EVERY
def test_a_provider_is_asked_and_read(server: SerpServer, name: Name) -> None:
    found = ask(context_with(server, name))
    assert found.serp is not None
    assert found.serp.urls == tuple(RESULTS)
    assert found.serp.ended == (name != "serper"), "only Serper does not say whether there are more"
    assert found.provider == name
    assert found.milli == 3 * PRICES[name]
    asked = server.queries[0]
    assert {str(asked.get(part, "")).lower() for part in ("gl", "hl")} & {"us", "en"} or asked["location_code"] == 2840
    if name != "google_search":
        assert "people_also_ask" in found.serp.features


@EVERY
def test_no_results_is_an_answer_and_not_a_failure(server: SerpServer, name: Name) -> None:
    found = ask(context_with(server, name), keyword="nobody writes about this")
    assert found.serp is not None
    assert found.serp.urls == ()
    assert found.serp.ended


@EVERY
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (
            "quota",
            {("quota", "http_429"), ("quota", "status_40200"), ("quota", "no_credits"), ("quota", "quota_exceeded")},
        ),
        ("refused", {("credential", code) for code in ("http_401", "http_403", "status_40100", "key_refused")}),
        ("html", {("transient", "unexpected_shape")}),
        ("odd", {("transient", "unexpected_shape")}),
        ("cut", {("transient", "incomplete_response")}),
        ("down", {("transient", "http_503")}),
    ],
)
def test_each_failure_is_told_by_its_kind(
    server: SerpServer, name: Name, mode: Any, expected: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "PAUSE", 0.001)
    server.modes[name] = mode
    told = failure(context_with(server, name))
    assert told in expected
    # A transient failure is tried again, twice; the others are not.
    assert len(server.calls) == (3 if told[0] == "transient" else 1)


def test_the_next_provider_answers_where_one_fails_and_begins_anew(server: SerpServer) -> None:
    server.modes |= {"serpapi": "quota", "dataforseo": "refused"}
    found = ask(context_with(server, "serpapi", "dataforseo", "serper"))
    assert found.provider == "serper"
    assert found.serp is not None
    assert found.serp.urls == tuple(RESULTS)
    assert [(each.provider, each.kind) for each in found.failures] == [
        ("serpapi", "quota"),
        ("dataforseo", "credential"),
    ]
    assert found.milli == PRICES["serper"] * server.of("scan").count("serper"), "refusals cost nothing"


def test_what_was_sent_and_not_answered_counts_as_paid(server: SerpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PAUSE", 0.001)
    server.modes |= {"serpapi": "cut"}
    context = context_with(server, "serpapi", "google_search")
    found = ask(context)
    assert found.provider == "google_search"
    assert found.milli == 3 * PRICES["serpapi"] + 3 * PRICES["google_search"]
    terms = deployment_of(context.clients.settings).chain([])
    assert found.milli <= most(terms, 3)


def test_a_server_that_never_answers_is_given_up(server: SerpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "CALL_SECONDS", 0.2)
    monkeypatch.setattr(chain, "PAUSE", 0.001)
    server.modes["serpapi"] = "slow"
    assert failure(context_with(server, "serpapi")) == ("transient", "fetch_timed_out")
    server.release.set()


def test_a_look_ends_with_the_request(server: SerpServer) -> None:
    server.modes["serpapi"] = "down"
    context = dataclasses.replace(context_with(server, "serpapi", "serper"), deadline=Deadline.after(0))
    found = ask(context)
    assert {each.code for each in found.failures} == {"no_time"}
    assert server.calls == []


def test_pages_are_turned_until_site_and_competitors_are_found(server: SerpServer) -> None:
    site = Site(hosts=("site-3.example.net",), competitors=("site-12.example.net",))
    found = ask(context_with(server, "serpapi"), site=dataclasses.replace(site, competitors=()))
    assert found.serp is not None
    assert len(found.serp.urls) == 10
    server.reset()
    server.results["scan"] = RESULTS
    assert len(ask(context_with(server, "serpapi"), site=site).serp.urls) == 25  # type: ignore[union-attr]


def test_a_breaker_opens_and_spares_the_provider(server: SerpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PAUSE", 0.001)
    server.modes["serpapi"] = "quota"
    context = context_with(server, "serpapi", "serper")
    for _ in range(7):
        assert ask(context).provider == "serper"
    assert server.of("scan").count("serpapi") == 5
    assert breaker_of(context.clients, "serpapi").status().state == "OPEN"
    assert breaker_of(context.clients, "serper").status().state == "CLOSED"


def test_a_search_that_a_provider_cannot_answer_says_nothing_about_it(server: SerpServer) -> None:
    context = context_with(server, "serper", "google_search")
    found = ask(context, device="mobile")
    assert [(each.kind, each.code) for each in found.failures] == [("rejected", "unsupported")] * 2
    assert server.calls == []
    server.modes["serper"] = "bad"
    refused = ask(context)
    assert [(each.kind, each.code) for each in refused.failures] == [("rejected", "http_400")]
    assert refused.provider == "google_search"
    assert breaker_of(context.clients, "serper").status().failure_count == 0


def test_a_missing_key_is_told_as_such_and_nothing_is_called(server: SerpServer) -> None:
    assert failure(context_with(server, "serpapi", keys={})) == ("credential", "key_missing")
    assert failure(context_with(server, "dataforseo", keys={"dataforseo": "no colon"})) == (
        "credential",
        "key_malformed",
    )
    assert server.calls == []


def test_an_address_inside_our_network_is_not_called(server: SerpServer) -> None:
    context = context_with(server, "serpapi", fetch_loopback=False)
    assert failure(context) == ("credential", "blocked_address")
    assert server.calls == []


def test_no_failure_repeats_a_key(server: SerpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PAUSE", 0.001)
    for mode in ("quota", "refused", "html", "cut", "down"):
        server.modes = dict.fromkeys(map(str, NAMES), mode)
        told = str(ask(context_with(server)))
        assert not [part for key in KEYS.values() for part in key.split(":") if part in told]


@EVERY
@pytest.mark.parametrize(
    "answer", [None, 3, "text", [], {}, {"tasks": None}, {"tasks": [3]}, {"organic": {}}, {"items": 1}]
)
def test_no_shape_of_an_answer_breaks_an_adapter(name: Name, answer: Any) -> None:
    with pytest.raises(ProviderError):
        ADAPTERS[name].page(200, answer)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"providers": [{"name": "unknown", "price_per_thousand_minor": 1}]}',
        '{"providers": [{"name": "serpapi"}]}',
        '{"providers": [{"name": "serpapi", "price_per_thousand_minor": -1}]}',
        '{"providers": [{"name": "serpapi", "price_per_thousand_minor": 1, "base_url": "file:///etc/passwd"}]}',
        json.dumps({"providers": [{"name": "serper", "price_per_thousand_minor": 1}] * 2}),
    ],
)
def test_a_deployment_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="XYNERGY_RANK_TRACKING"):
        deployment_of(Settings(environment="local", project="test-chain", rank_tracking=text))


@pytest.mark.parametrize("text", ["{", "[]"])
def test_keys_that_are_no_map_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="XYNERGY_RANK_PROVIDER_KEYS"):
        key_of(Settings(environment="local", project="test-chain", rank_provider_keys=text), "serpapi")


def test_nobody_is_asked_unless_the_deployment_says_so() -> None:
    assert deployment_of(Settings(environment="local", project="test-chain")).providers == []
