"""A file of each tool through the whole cloud: previewed, imported, read in every store, and undone without a trace."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.support import job_ended
from tests.stack import Stack, TenantHandle, wait_for

HEADERS = {"Content-Type": "text/csv"}
PERIOD = "from=2026-04-01&to=2026-04-30"
QUERIES = (
    "Häufigste Suchanfragen;Klicks;Impressionen;CTR;Position\nqr scannen;12;1.200;1,00 %;7,5\nscanner;3;90;3,33 %;2,1\n"
)
PAGES = "Top pages,Clicks,Impressions,CTR,Position\nhttps://example.com/scan,9,800,1.13%,6.2\n"
DATES = "Date,Clicks,Impressions,CTR,Position\n2026-05-01,2,40,5%,3.3\n2026-05-02,4,80,5%,3.1\n"
TRACKING = (
    "Position Tracking: Overview\nDomain: *.example.com/*\nLocation: Germany - German - mobile\n\n"
    "Keyword,*.example.com/*_20260501,*.example.com/*_20260501_landing,*.rival.org/*_20260501,Search Volume\n"
    'qr scannen,9,https://example.com/scan,3,"2,400"\ncode lesen,-,,12,70\n'
)
AHREFS = (
    "#\tKeyword\tPosition\tPosition History\tVolume\tURL\tDifficulty\tTraffic (desc)\tCPC\tLast Update\t"
    "Page URL inside\n"
    "1\tqr scannen\t8\t\t2.500\thttps://example.com/scan\t31\t40\t0,5\t2026-05-03 01:02:03\t\n"
)
PLANNER = (
    "Keyword Stats 2026-05-04 at 10_30_00\nApril 1, 2025 - March 31, 2026\n"
    "Keyword\tCurrency\tAvg. monthly searches\tCompetition\tCompetition (indexed value)\n"
    "barcode app\tEUR\t1K \u2013 10K\tLow\t12\n"
)
PLAIN = "keyword,volume,tier,rank\ncode lesen,90,2,41\n"
FILES: list[tuple[str, bytes, str]] = [
    ("csv", PLAIN.encode(), ""),
    ("search_console", QUERIES.encode("windows-1252"), PERIOD),
    ("search_console", PAGES.encode(), PERIOD),
    ("search_console", DATES.encode(), ""),
    ("semrush", TRACKING.encode(), ""),
    ("ahrefs", AHREFS.encode("utf-16"), ""),
    ("keyword_planner", PLANNER.encode("utf-16"), ""),
]


def sent(tenant: TenantHandle, route: str, content: bytes, query: str) -> dict[str, Any]:
    """Upload a file."""
    answer = tenant.client.request("POST", f"{route}?{query}", data=content, headers=HEADERS)
    assert answer.status_code in {200, 202}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def finished(tenant: TenantHandle, job_id: str) -> dict[str, Any]:
    """Return a job once it has ended."""
    return wait_for(lambda: job_ended(tenant.client, job_id), what="the job ends")


def keywords(tenant: TenantHandle) -> dict[str, dict[str, Any]]:
    """Return the keywords as read one by one, past every cache."""
    items = tenant.client.get("/v1/aso/keywords?limit=200").json()["items"]
    found = [tenant.client.get(f"/v1/aso/keywords/{item['keyword_id']}").json() for item in items]
    return {each["keyword"]: each for each in found}


def clicks(tenant: TenantHandle, by: str) -> dict[str, int]:
    """Return the visits of April and May."""
    answer = tenant.client.get(f"/v1/aso/performance?by={by}&from=2026-04-01&to=2026-05-31")
    assert answer.status_code == 200, answer.text
    return {item["key"]: item["clicks"] for item in answer.json()["items"]}


def test_a_file_of_each_tool_is_imported_and_undone(cloud: Stack, tenant: TenantHandle) -> None:
    tenant.client.post("/v1/aso/keywords", {"rows": [{"keyword": "scanner", "search_volume": 5}]})
    before = keywords(tenant)
    imports = []
    for tool, content, query in FILES:
        shown = sent(tenant, "/v1/aso/imports/preview", content, query)
        assert (shown["recognised"]["format"], shown["refusal"], shown["problems"]) == (tool, None, [])
        job = sent(tenant, "/v1/aso/imports", content, f"format={tool}&{query}")
        ended = finished(tenant, job["job_id"])
        assert ended["status"] == "succeeded", ended
        assert ended["result"]["refused"] == 0
        imports.append(job["job_id"])
    found = keywords(tenant)
    assert set(found) == {"scanner", "qr scannen", "code lesen", "barcode app"}
    scanned = found["qr scannen"]
    assert (scanned["search_volume"], scanned["difficulty_score"], scanned["observed_impressions"]) == (
        2500,
        31.0,
        1200,
    )
    assert scanned["provenance"]["search_volume"]["source"] == "ahrefs"
    assert [(each["date"], each["position"]) for each in scanned["serp_history"]] == [
        ("2026-04-30", 7.5),
        ("2026-05-01", 9.0),
        ("2026-05-03", 8.0),
    ]
    assert scanned["competitor_rankings"] == [{"competitor": "rival.org", "position": 3}]
    assert found["barcode app"]["provenance"]["search_volume"]["source"] == "keyword_planner.range"
    wait_for(lambda: clicks(tenant, "query") == {"qr scannen": 12, "scanner": 3}, what="visits by query are read")
    assert clicks(tenant, "page") == {"https://example.com/scan": 9}
    for import_id in imports:  # the oldest first: the harder order
        undo = tenant.client.post(f"/v1/aso/imports/{import_id}/undo")
        assert undo.status_code == 202, undo.text
        ended = finished(tenant, undo.json()["job_id"])
        assert ended["status"] == "succeeded", ended
    cloud.settled()
    after = keywords(tenant)
    assert {name: without_times(each) for name, each in after.items()} == {
        name: without_times(each) for name, each in before.items()
    }
    wait_for(lambda: clicks(tenant, "query") == {} == clicks(tenant, "page"), what="no visits are left")
    listed = tenant.client.get("/v1/aso/imports?status=undone").json()["items"]
    assert {item["import_id"] for item in listed} == set(imports)


def without_times(keyword: dict[str, Any]) -> dict[str, Any]:
    """Return a keyword without when it was last changed: two of the undos change it, to and fro."""
    return {name: value for name, value in keyword.items() if name != "updated_at"}
