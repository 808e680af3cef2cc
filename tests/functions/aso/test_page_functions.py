"""Pages through the whole local cloud: scores, audits of sites and links, and what deleting content takes with it.

Web sites are servers of these tests that count what is asked of them.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Iterator
from typing import Any

import pytest

from common.fetch import AGENT
from common.jobs.service import start_job
from common.store import transact
from tests.common.security import context_of
from tests.common.web import Web, forever, page, redirect, served
from tests.stack import Stack, TenantHandle

WORDS = "The scanner reads what a code holds. It works with every camera that you have. " * 12
HTML = f"<html lang=en><title>QR code scanner</title><h1>QR code scanner</h1><p>{WORDS}</p></html>"
SPACE = "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'"


@pytest.fixture(scope="module")
def tenant(cloud: Stack) -> TenantHandle:
    """One tenant for all tests here; each makes pieces of its own."""
    return cloud.tenant()


@pytest.fixture
def web() -> Iterator[Web]:
    with served() as running:
        yield running


def piece(tenant: TenantHandle, kind: str = "hub", publish: bool = True, **fields: Any) -> dict[str, Any]:
    body = {"content_type": kind, "keyword_primary": "qr code scanner", "title": "x", **fields}
    made = tenant.client.post("/v1/aso/content", body)
    assert made.status_code == 201, made.text
    if publish and "url" in fields:
        published = tenant.client.post(f"/v1/aso/content/{made.json()['content_id']}/publish", {})
        assert published.status_code == 200, published.text
    return dict(made.json())


def finished(cloud: Stack, tenant: TenantHandle, answer: Any) -> dict[str, Any]:
    """Wait for the job that an answer began, and return it."""
    assert answer.status_code == 202, answer.text
    path = answer.headers["Location"]

    def over() -> dict[str, Any]:
        job = tenant.client.get(path).json()
        return dict(job) if job["status"] in {"succeeded", "failed"} else {}

    return cloud.wait_for(over, 60, what="the job ends")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# ---------------------------------------------------------------------- on-page score


def test_a_page_is_scored_and_its_history_kept(tenant: TenantHandle) -> None:
    hub = piece(tenant, keyword_secondary=["code"])
    scored = tenant.client.post("/v1/aso/onpage-score", {"html": HTML, "keyword": "qr code scanner"})
    assert scored.status_code == 200, scored.text
    assert 0 < scored.json()["score"] < 100
    assert scored.json()["readability"]["language"] == "en"
    worse = {"content_id": hub["content_id"], "html": HTML.replace("<h1>QR code scanner</h1>", "")}
    scores = []
    for body in (worse, {**worse, "html": HTML}):
        kept = tenant.client.post("/v1/aso/onpage-score", body)
        assert kept.status_code == 200, kept.text
        assert kept.json()["secondary_keywords"] == ["code"]
        scores.append(kept.json()["score"])
    assert scores[0] < scores[1]
    path = f"/v1/aso/content/{hub['content_id']}/audits"
    history = tenant.client.get(path, params={"limit": 1}).json()
    assert [audit["score"] for audit in history["items"]] == scores[1:]
    rest = tenant.client.get(path, params={"cursor": history["next_cursor"]}).json()["items"]
    assert [audit["score"] for audit in rest] == scores[:1]
    assert code(tenant.client.get("/v1/aso/content/nowhere/audits")) == (404, "content_piece_not_found")


def test_repeating_a_request_keeps_one_audit(tenant: TenantHandle) -> None:
    hub = piece(tenant)
    body = {"content_id": hub["content_id"], "text": WORDS}
    first, again = (
        tenant.client.post("/v1/aso/onpage-score", body, headers={"Idempotency-Key": hub["content_id"]})
        for _ in range(2)
    )
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(tenant.client.get(f"/v1/aso/content/{hub['content_id']}/audits").json()["items"]) == 1


def test_a_page_is_fetched_and_judged_where_it_is(tenant: TenantHandle, web: Web) -> None:
    web.routes |= {
        "/old": redirect("/qr-code-scanner"),
        "/qr-code-scanner": page(HTML.encode("utf-16"), kind="text/html", extra="X-Robots-Tag: noindex\r\n"),
        "/missing": page("gone", 404),
        "/pdf": page(b"%PDF", kind="application/pdf"),
        "/endless": forever(b"<p>x" * 10_000, b"HTTP/1.1 200 X\r\nContent-Type: text/html\r\n\r\n"),
        "/empty": page(""),
    }
    body = {"url": f"{web.url}/old", "keyword": "qr code scanner"}
    scored = tenant.client.post("/v1/aso/onpage-score", body).json()
    assert (scored["url"], scored["source"], scored["title"]) == (
        f"{web.url}/qr-code-scanner",
        "fetched",
        "QR code scanner",
    )
    checks = {check["check"]: check["status"] for check in scored["checks"]}
    assert (checks["indexable"], checks["keyword_in_url"]) == ("fail", "pass")
    for path, expected in {
        "/missing": "page_not_ok",
        "/pdf": "unsupported_content_type",
        "/endless": "response_too_large",
        "/empty": "unparseable",
    }.items():
        answer = tenant.client.post("/v1/aso/onpage-score", {"url": web.url + path, "keyword": "x"})
        assert code(answer) == (422, expected), path


PRIVATE = [
    "http://10.0.0.1/",
    "http://169.254.169.254/computeMetadata/v1/",
    "http://metadata.google.internal/",
    "http://[::ffff:10.0.0.1]/",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_are_refused_everywhere(tenant: TenantHandle, web: Web, url: str) -> None:
    web.routes["/"] = redirect(url)
    for body in ({"url": url, "keyword": "x"}, {"url": f"{web.url}/", "keyword": "x"}):
        assert code(tenant.client.post("/v1/aso/onpage-score", body)) == (422, "blocked_address")
    for site in ({"site_url": url}, {"sitemap_urls": [url]}):
        assert code(tenant.client.post("/v1/aso/site-audit", site)) == (422, "blocked_address")
    hub = piece(tenant, url=f"{url}{web.port}")
    answer = tenant.client.post(f"/v1/aso/hubs/{hub['content_id']}/link-audit", {})
    assert code(answer) == (422, "blocked_address")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"keyword": "x"}, "validation_failed"),
        ({"html": "<p>x"}, "validation_failed"),
        ({"html": "<p>x", "text": "x", "keyword": "x"}, "validation_failed"),
        ({"html": "<script>x", "keyword": "x"}, "unparseable"),
        ({"html": "<b>" * 300_000, "keyword": "x"}, "page_too_complex"),
        ({"text": "x", "content_id": "nowhere"}, "content_not_found"),
        ({"url": "file:///etc/passwd", "keyword": "x"}, "invalid_url"),
        ({"url": "http://2130706433/", "keyword": "x"}, "invalid_url"),
        ({"html": "x" * 5_000_001, "keyword": "x"}, "validation_failed"),
    ],
)
def test_what_cannot_be_scored(tenant: TenantHandle, body: dict[str, Any], expected: str) -> None:
    assert code(tenant.client.post("/v1/aso/onpage-score", body)) == (422, expected)


def test_ten_megabytes_of_html_are_too_large(tenant: TenantHandle) -> None:
    answer = tenant.client.post("/v1/aso/onpage-score", {"html": "<p>x</p>" * 1_310_720, "keyword": "x"})
    assert answer.status_code == 413
    assert tenant.client.get("/v1/health").status_code == 200


def test_a_draft_without_address_needs_its_page(tenant: TenantHandle) -> None:
    hub = piece(tenant)
    answer = tenant.client.post("/v1/aso/onpage-score", {"content_id": hub["content_id"]})
    assert code(answer) == (422, "url_required")


# ---------------------------------------------------------------------- site audit


def urlset(*locs: str) -> str:
    return f"<urlset {SPACE}>{''.join(f'<url><loc>{loc}</loc></url>' for loc in locs)}</urlset>"


def findings(audit: dict[str, Any]) -> dict[str, int]:
    return {finding["code"]: finding["count"] for finding in audit["findings"]}


def test_given_sitemaps_are_audited_at_once(tenant: TenantHandle) -> None:
    known = piece(tenant, url="https://audited.example/known")
    forgotten = piece(tenant, url="https://audited.example/forgotten")
    packed = gzip.compress(urlset(known["url"], "https://audited.example/private/x").encode())
    body = {
        "sitemaps": [{"url": "https://audited.example/s.xml.gz", "base64": base64.b64encode(packed).decode()}],
        "robots": "User-agent: *\nDisallow: /private/\nSitemap: https://audited.example/s.xml.gz\n",
    }
    made = tenant.client.post("/v1/aso/site-audit", body)
    assert made.status_code == 200, made.text
    audit = made.json()["audit"]
    assert findings(audit) == {"blocked_by_robots": 1, "not_in_content": 1, "missing_from_sitemap": 1}
    assert (audit["urls"], audit["pieces"], audit["errors"], audit["host"]) == (2, 2, 1, "audited.example")
    missing = audit["findings"][1]["examples"][0]
    assert (missing["content_id"], missing["url"]) == (forgotten["content_id"], forgotten["url"])
    assert audit["findings"][0]["examples"][0]["detail"] == "Disallow: /private/ (line 2)"
    stored = tenant.client.get(f"/v1/aso/site-audits/{audit['audit_id']}")
    assert stored.json() == audit
    assert audit["audit_id"] in [item["audit_id"] for item in tenant.client.get("/v1/aso/site-audits").json()["items"]]


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>'


def test_a_site_is_fetched_by_a_job_and_nothing_else(cloud: Stack, tenant: TenantHandle, web: Web) -> None:
    children = [
        f"{web.url}/pages.xml",
        f"{web.url}/pages.xml",
        f"{web.url}/nested.xml",
        f"{web.url}/index.xml",
        f"{web.url}/bomb.xml",
        f"{web.url}/bomb.xml.gz",
        f"{web.url}/missing.xml",
        "http://10.0.0.1/s.xml",
        "file:///etc/passwd",
    ]
    index = (
        f"<sitemapindex {SPACE}>{''.join(f'<sitemap><loc>{url}</loc></sitemap>' for url in children)}</sitemapindex>"
    )
    web.routes |= {
        "/robots.txt": page(f"User-agent: *\nDisallow: /private\nSitemap: {web.url}/index.xml\n", kind="text/plain"),
        "/index.xml": page(index, kind="text/xml"),
        "/pages.xml": page(urlset(f"{web.url}/a", f"{web.url}/private", f"{web.url}/a"), kind="text/xml"),
        "/nested.xml": page(index, kind="text/xml"),
        "/bomb.xml": page(BOMB, kind="text/xml"),
        "/bomb.xml.gz": page(gzip.compress(b" " * 60_000_000), kind="application/gzip"),
    }
    job = finished(cloud, tenant, tenant.client.post("/v1/aso/site-audit", {"site_url": f"{web.url}/"}))
    assert job["status"] == "succeeded", job
    audit = tenant.client.get(f"/v1/aso/site-audits/{job['result']['audit_id']}").json()
    assert findings(audit) == {
        "blocked_by_robots": 1,
        "dtd_refused": 1,
        "duplicate_url": 1,
        "invalid_url": 1,
        "nested_index": 2,
        "sitemap_not_fetched": 2,
        "sitemap_repeated": 1,
        "too_large": 1,
    }
    assert (audit["urls"], audit["job_id"]) == (3, job["job_id"])
    paths = ["/robots.txt", "/index.xml", "/pages.xml", "/nested.xml", "/bomb.xml", "/bomb.xml.gz", "/missing.xml"]
    assert sorted(web.targets) == sorted(paths)


def test_an_index_without_end_is_read_to_its_bound(cloud: Stack, tenant: TenantHandle, web: Web) -> None:
    entries = "".join(f"<sitemap><loc>{web.url}/{number}.xml</loc></sitemap>" for number in range(5000))
    web.routes["/sitemap.xml"] = page(f"<sitemapindex {SPACE}>{entries}</sitemapindex>", kind="text/xml")
    web.routes |= {f"/{number}.xml": page(urlset(f"{web.url}/{number}"), kind="text/xml") for number in range(5000)}
    job = finished(cloud, tenant, tenant.client.post("/v1/aso/site-audit", {"site_url": f"{web.url}/"}))
    assert (job["status"], job["result"]["sitemaps"], job["result"]["urls"]) == ("succeeded", 100, 99)
    assert "aso-site-audit-run" in cloud.local.dispatcher.status()
    assert len(web.requests) == 101  # robots.txt, the index, its first 99
    audit = tenant.client.get(f"/v1/aso/site-audits/{job['result']['audit_id']}").json()
    assert findings(audit)["sitemaps_left_out"] == 4901


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sitemaps": [{"text": "x", "base64": "eA=="}]},
        {"sitemaps": [{}]},
        {"sitemaps": [{"text": "x"}], "sitemap_urls": ["https://example.com/"]},
        {"sitemaps": [{"base64": "no base64!"}]},
        {"site_url": "https://example.com/", "agent": "bad agent"},
    ],
)
def test_what_is_no_request_for_an_audit(tenant: TenantHandle, body: dict[str, Any]) -> None:
    assert code(tenant.client.post("/v1/aso/site-audit", body)) == (422, "validation_failed")


# ---------------------------------------------------------------------- link audit


def test_links_that_are_given_are_audited_at_once(tenant: TenantHandle) -> None:
    hub = piece(tenant, url="https://linked.example/hub")
    one, two, three = (
        piece(tenant, "spoke", url=f"https://linked.example/{name}", hub_id=hub["content_id"])
        for name in ("1", "2", "3")
    )
    path = f"/v1/aso/hubs/{hub['content_id']}/link-audit"
    assert code(tenant.client.get(f"/v1/aso/hubs/{hub['content_id']}/link-audit")) == (404, "link_audit_not_found")
    pages = [
        {"url": hub["url"], "links": [{"href": "/1"}, {"href": "2", "nofollow": True}]},
        {"url": one["url"], "links": [{"href": "/hub#top"}]},
        {"url": two["url"], "links": []},
        {"url": "https://linked.example/unrelated", "links": [{"href": "/3"}]},
    ]
    made = tenant.client.post(path, {"pages": pages})
    assert made.status_code == 200, made.text
    report = made.json()["report"]
    audit = report["audit"]
    assert (audit["linked"], audit["nofollow"], audit["missing"], audit["unknown"]) == (2, 1, 2, 1)
    assert (audit["coverage"], audit["orphans"]) == (0.4, [two["content_id"], three["content_id"]])
    lacking = [(link["from_id"], link["to_id"], link["state"]) for link in report["missing_links"]]
    assert lacking == [
        (hub["content_id"], two["content_id"], "nofollow"),
        (hub["content_id"], three["content_id"], "missing"),
        (two["content_id"], hub["content_id"], "missing"),
    ]
    assert tenant.client.get(path).json() == report
    spoke_path = path.replace(hub["content_id"], one["content_id"])
    assert code(tenant.client.post(spoke_path, {"pages": []})) == (409, "not_a_hub")

    gone = tenant.client.delete(f"/v1/aso/content/{two['content_id']}")
    assert gone.json()["references"] == {"link_audit": {"cleared": 1}}
    after = tenant.client.get(path).json()
    assert (after["audit"]["coverage"], after["audit"]["orphans"]) == (2 / 3, [three["content_id"]])
    assert two["content_id"] not in str(after)


def test_a_list_of_wrong_items_is_wrong_in_one_way(tenant: TenantHandle) -> None:
    answer = tenant.client.post("/v1/aso/hubs/any/link-audit", {"pages": ["wrong"] * 2001})
    assert code(answer) == (422, "validation_failed")
    assert (len(answer.json()["errors"]), "2000 more" in answer.json()["detail"]) == (100, True)


def test_pages_are_fetched_politely_by_a_job(cloud: Stack, tenant: TenantHandle, web: Web) -> None:
    hub = piece(tenant, url=f"{web.url}/hub")
    names = ("a", "b", "private", "gone", "late")
    spokes = {name: piece(tenant, "spoke", url=f"{web.url}/{name}", hub_id=hub["content_id"]) for name in names}
    piece(tenant, "spoke", publish=False, hub_id=hub["content_id"])
    web.routes |= {
        "/robots.txt": page(
            f"User-agent: {AGENT}\nDisallow: /private\nUser-agent: *\nDisallow: /\n", kind="text/plain"
        ),
        "/hub": page("<a href=a>A</a><a href=/private>P</a><a rel=nofollow href=/b>B</a>"),
        "/a": page("<base href=/x/><a href=../hub>Hub</a><a href=/late>L</a>"),
        "/b": redirect("/moved"),
        "/moved": page("<meta name=robots content=nofollow><a href=/hub>Hub</a>"),
        "/late": page("<a href=/hub>never read</a>"),
    }
    path = f"/v1/aso/hubs/{hub['content_id']}/link-audit"
    job = finished(cloud, tenant, tenant.client.post(path, {"max_pages": 5}))
    assert (job["status"], job["result"]["pages"]) == ("succeeded", 5), job
    audit = tenant.client.get(path).json()["audit"]
    rows = {row["content_id"]: (row["from_hub"], row["to_hub"], row["problem"]) for row in audit["spokes"]}
    assert rows == {
        spokes["a"]["content_id"]: ("linked", "linked", None),
        spokes["b"]["content_id"]: ("nofollow", "nofollow", None),
        spokes["private"]["content_id"]: ("linked", "unknown", "robots_denied"),
        spokes["gone"]["content_id"]: ("missing", "unknown", "http_404"),
        spokes["late"]["content_id"]: ("missing", "unknown", "page_limit"),
    }
    assert (audit["source"], audit["unpublished"], audit["orphans"]) == (
        "fetched",
        1,
        [spokes["b"]["content_id"], spokes["gone"]["content_id"]],
    )
    assert sorted(web.targets) == ["/a", "/b", "/gone", "/hub", "/moved", "/robots.txt"]
    assert all(re.search(rf"^User-Agent: {AGENT}/", head, re.MULTILINE) for head in web.requests)


def test_a_site_that_wants_no_robots_is_left_alone(cloud: Stack, tenant: TenantHandle, web: Web) -> None:
    hub = piece(tenant, url=f"{web.url}/hub")
    web.routes["/robots.txt"] = page("down", 503)
    path = f"/v1/aso/hubs/{hub['content_id']}/link-audit"
    assert finished(cloud, tenant, tenant.client.post(path, {}))["status"] == "succeeded"
    audit = tenant.client.get(path).json()["audit"]
    assert "aso-link-audit-run" in cloud.local.dispatcher.status()
    assert (audit["hub_problem"], audit["coverage"]) == ("robots_unreachable", None)
    assert web.targets == ["/robots.txt"]


# ---------------------------------------------------------------------- deleting content


def test_audits_go_with_their_piece_and_keywords_move(cloud: Stack, tenant: TenantHandle) -> None:
    hub, other = piece(tenant, url="https://deleted.example/hub"), piece(tenant)
    spoke = piece(tenant, "spoke", hub_id=hub["content_id"])
    tenant.client.post("/v1/aso/keywords", {"rows": [{"keyword": "moves along", "content_id": hub["content_id"]}]})
    tenant.client.post("/v1/aso/onpage-score", {"content_id": hub["content_id"], "text": WORDS})
    tenant.client.post(f"/v1/aso/hubs/{hub['content_id']}/link-audit", {"pages": []})
    refused = tenant.client.delete(f"/v1/aso/content/{hub['content_id']}")
    assert code(refused) == (409, "has_spokes")
    query = {"reassign_to": other["content_id"]}
    foreseen = tenant.client.delete(f"/v1/aso/content/{hub['content_id']}", params={**query, "dry_run": "true"}).json()
    done = tenant.client.delete(f"/v1/aso/content/{hub['content_id']}", params=query).json()
    assert done == {**foreseen, "dry_run": False}
    assert (done["spokes_moved"], done["references"]) == (
        1,
        {"keyword": {"reassigned": 1}, "link_audit": {"deleted": 1}, "page_audit": {"deleted": 1}},
    )
    assert tenant.client.get(f"/v1/aso/content/{spoke['content_id']}").json()["hub_id"] == other["content_id"]
    keywords = tenant.client.get("/v1/aso/keywords", params={"content_id": other["content_id"]}).json()["items"]
    assert [keyword["keyword"] for keyword in keywords] == ["moves along"]


def test_a_large_deletion_is_done_by_its_job(cloud: Stack, tenant: TenantHandle) -> None:
    """The request begins such a job beyond 5,000 documents; here the job is begun for a small hub."""
    hub = piece(tenant)
    for _ in range(2):
        piece(tenant, "spoke", hub_id=hub["content_id"])
    parameters = {"content_id": hub["content_id"], "query": {"cascade": True}}
    job = transact(
        context_of(cloud.clients, tenant.tenant_id),
        lambda work: start_job(work, type="content_deletion", function="aso-content-delete-run", parameters=parameters),
    )
    path = f"/v1/jobs/{job.job_id}"
    cloud.wait_for(lambda: tenant.client.get(path).json()["status"] == "succeeded", 60, what="the deletion ends")
    assert tenant.client.get(path).json()["result"] == {"pieces": 3, "spokes_moved": 0, "references": {}}
    assert tenant.client.get(f"/v1/aso/content/{hub['content_id']}").status_code == 404
