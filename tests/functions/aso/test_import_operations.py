"""Imports over HTTP: previewed, begun, listed, read and undone."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from common.aso.imports import run, undo_run
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.jobs.entities import JOBS
from common.jobs.models import JobTask
from common.jobs.run import run_job
from common.store import Repository
from tests.common.aso.scan.conftest import context_for
from tests.functions.aso.conftest import Api
from triggers.manifest import load_manifest

AHREFS = (
    "Keyword\tCountry\tVolume\tKD\tCPC\tOrganic traffic\tCurrent position\tCurrent URL\tUpdated\n"
    "qr skannen\tde\t1.200\t12\t0,50\t310\t4\thttps://example.com/qr\t2026-05-01\n"
    "=cmd\tde\t90\t400\t\t1\t8\thttps://example.com/x\t2026-05-01\n"
)


@pytest.fixture(autouse=True, scope="module")
def buckets(process: Clients) -> None:
    """The buckets that the deployment has."""
    for name in (process.settings.content_bucket, process.settings.report_bucket):
        process.get(storage_client).create_bucket(name)


def send(api: Api, route: str, content: bytes, **query: Any) -> TestResponse:
    """Upload a file."""
    address = f"{route}?{urlencode(query)}" if query else route
    client = api.front.app("POST", route)
    return client.post(address, data=content, content_type="text/csv", headers={"Authorization": f"Bearer {api.key}"})


def applied(api: Api, process: Clients, content: bytes, **query: Any) -> str:
    """Import a file and return the id of the import."""
    answer = send(api, "/v1/aso/imports", content, **query)
    assert answer.status_code == 202, answer.text
    import_id = str(answer.get_json()["job_id"])
    run_job(context_for(process, api.tenant_id), JobTask(job_id=uuid.UUID(import_id)), run.run)
    return import_id


def test_a_preview_shows_what_would_happen_and_stores_nothing(api: Api, process: Clients) -> None:
    answer = send(api, "/v1/aso/imports/preview", AHREFS.encode("utf-16"))
    assert answer.status_code == 200, answer.text
    shown = answer.get_json()
    assert (shown["recognised"]["format"], shown["recognised"]["table"]) == ("ahrefs", "organic_keywords")
    assert shown["recognised"]["confidence"] > 0.9
    assert (shown["encoding"], shown["delimiter"], shown["header_row"]) == ("utf-16", "\t", 1)
    columns = {column["column"]: column for column in shown["columns"]}
    assert columns["KD"]["field"] == "difficulty"
    assert columns["KD"]["decimal"] == "comma"
    assert "1.200" in columns["KD"]["evidence"]
    assert columns["Volume"]["examples"] == ["1.200", "90"]
    assert shown["ignored_columns"] == ["Country", "CPC", "Organic traffic"]
    assert shown["rows"][0]["metrics"] == {"search_volume": 1200, "difficulty_score": 12.0}
    assert [(each["row_number"], each["column"], each["code"]) for each in shown["problems"]] == [
        (3, "KD", "out_of_range")
    ]
    assert (shown["sampled_rows"], shown["estimated_rows"]) == (2, 2)
    assert api("GET", "/v1/aso/imports").get_json()["items"] == []
    stored = process.get(storage_client).list_blobs(process.settings.content_bucket, prefix=f"{api.tenant_id}/")
    assert list(stored) == []
    [entry] = [each for each in load_manifest() if each["name"] == "aso-import-preview"]
    assert "storage:write" not in entry["needs"]
    assert entry["needs"]["firestore:write"] == "remembers the answer to an Idempotency-Key"


def test_a_preview_tells_why_the_import_would_be_refused(api: Api) -> None:
    shown = send(api, "/v1/aso/imports/preview", AHREFS.encode(), format="semrush").get_json()
    assert shown["refusal"]["code"] == "wrong_format"
    assert shown["recognised"]["format"] == "ahrefs"
    unknown = send(api, "/v1/aso/imports/preview", b"Suchwort;Wie oft\nqr;1.000\n").get_json()
    assert (unknown["recognised"], unknown["refusal"]["code"]) == (None, "unknown_format")
    assert [(each["column"], each["examples"]) for each in unknown["columns"]] == [
        ("Suchwort", ["qr"]),
        ("Wie oft", ["1.000"]),
    ]


def test_a_mapping_shown_by_the_preview_is_what_the_import_does(api: Api, process: Clients) -> None:
    content = b"Suchwort;Wie oft;Notiz\nqr;1.000;x\n"
    mapping = json.dumps({"Suchwort": "keyword", "Wie oft": "search_volume"})
    shown = send(api, "/v1/aso/imports/preview", content, mapping=mapping).get_json()
    assert shown["rows"][0]["metrics"] == {"search_volume": 1000}
    import_id = applied(api, process, content, mapping=mapping)
    kept = api("GET", f"/v1/aso/imports/{import_id}").get_json()
    assert [(each["column"], each["field"], each["basis"]) for each in kept["mapping"]] == [
        ("Suchwort", "keyword", "mapping"),
        ("Wie oft", "search_volume", "mapping"),
    ]
    [item] = api("GET", "/v1/aso/keywords").get_json()["items"]
    assert (item["keyword"], item["search_volume"]) == ("qr", 1000)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("not json", "JSON"),
        ("[1]", "object"),
        ('{"a": 5}', "object"),
        ('{"nothing": "keyword"}', "no column 'nothing'"),
        ('{"keyword": "colour"}', "no field"),
        ('{"keyword": "keyword", "volume": "keyword"}', "two columns"),
        ('{"keyword": null}', "no column is mapped to 'keyword'"),
    ],
)
def test_a_mapping_that_cannot_be_is_told(mapping: str, message: str, api: Api) -> None:
    answer = send(api, "/v1/aso/imports", b"keyword,volume\na,1\n", mapping=mapping)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_mapping"), answer.text
    assert message in answer.get_json()["detail"]


def test_an_import_is_listed_read_and_undone(api: Api, stranger: Api, process: Clients) -> None:
    import_id = applied(api, process, AHREFS.encode(), format="ahrefs")
    other = applied(api, process, b"keyword\nother\n")
    listed = api("GET", "/v1/aso/imports?format=ahrefs").get_json()["items"]
    assert [(each["import_id"], each["status"]) for each in listed] == [(import_id, "applied")]
    assert [each["import_id"] for each in api("GET", "/v1/aso/imports").get_json()["items"]] == [other, import_id]
    read = api("GET", f"/v1/aso/imports/{import_id}").get_json()
    assert (read["counts"]["created"], read["counts"]["refused"], read["table"]) == (1, 1, "organic_keywords")
    for method, route in (("GET", ""), ("POST", "/undo")):
        answer = stranger(method, f"/v1/aso/imports/{import_id}{route}")
        assert (answer.status_code, answer.get_json()["code"]) == (404, "import_not_found")
    undo = api("POST", f"/v1/aso/imports/{import_id}/undo")
    assert undo.status_code == 202, undo.text
    job_id = uuid.UUID(undo.get_json()["job_id"])
    assert undo.headers["Location"] == f"/v1/jobs/{job_id}"
    context = context_for(process, api.tenant_id)
    assert Repository(JOBS, context).get(str(job_id)).value.function == "aso-import-undo-run"
    run_job(context_for(process, api.tenant_id), JobTask(job_id=job_id), undo_run.run)
    assert [item["keyword"] for item in api("GET", "/v1/aso/keywords").get_json()["items"]] == ["other"]
    assert api("GET", f"/v1/aso/imports/{import_id}").get_json()["undo"]["keywords_deleted"] == 1
    again = api("POST", f"/v1/aso/imports/{import_id}/undo")
    assert (again.status_code, again.get_json()["code"]) == (409, "import_undone")


def test_reading_is_not_enough_to_import_or_to_undo(api: Api, reader: Api, process: Clients) -> None:
    import_id = applied(api, process, b"keyword\nmine\n")
    assert reader("GET", f"/v1/aso/imports/{import_id}").status_code == 200
    assert send(reader, "/v1/aso/imports", b"keyword\na\n").status_code == 403
    assert reader("POST", f"/v1/aso/imports/{import_id}/undo").status_code == 403


def test_what_is_refused_leaves_nothing_behind(api: Api, process: Clients) -> None:
    answer = send(api, "/v1/aso/imports", AHREFS.encode(), format="keyword_planner")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "wrong_format")
    assert "Ahrefs" in answer.get_json()["detail"]
    assert answer.get_json()["looks_like"] == "ahrefs"
    pages = send(api, "/v1/aso/imports", b"Top pages,Clicks,Impressions,CTR,Position\nhttps://a.example/,1,10,10%,3\n")
    assert (pages.status_code, pages.get_json()["code"]) == (422, "period_required")
    assert api("GET", "/v1/aso/imports").get_json()["items"] == []
    assert Repository(JOBS, context_for(process, api.tenant_id)).count() == 0
    stored = process.get(storage_client).list_blobs(process.settings.content_bucket, prefix=f"{api.tenant_id}/")
    assert list(stored) == []
