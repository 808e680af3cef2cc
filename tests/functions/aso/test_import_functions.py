"""The upload of keyword files through HTTP, and the job that ``aso-keyword-import-run`` does."""

from __future__ import annotations

import uuid

import pytest
from werkzeug.test import TestResponse

from common.aso.imports import run
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.jobs.entities import JOBS
from common.jobs.models import JobTask
from common.jobs.run import run_job
from common.store import Repository
from tests.common.aso.scan.conftest import context_for
from tests.functions.aso.conftest import Api

ROUTE = "/v1/aso/keywords/import"
EXPORT = "Top queries,Clicks,Impressions,CTR,Position\nqr स्कैनर,3,80,3.75%,10.07\nbroken,1,x,1%,2\n".encode()


@pytest.fixture(autouse=True, scope="module")
def buckets(process: Clients) -> None:
    """The buckets that the deployment has."""
    for name in (process.settings.content_bucket, process.settings.report_bucket):
        process.get(storage_client).create_bucket(name)


def send(
    api: Api, content: bytes, content_type: str = "text/csv", query: str = "", key: str | None = None
) -> TestResponse:
    headers = {"Authorization": f"Bearer {api.key}"} | ({"Idempotency-Key": key} if key else {})
    client = api.front.app("POST", ROUTE)
    return client.post(f"{ROUTE}{query}", data=content, content_type=content_type, headers=headers)


def code(answer: TestResponse) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json", answer.text
    return answer.status_code, answer.get_json()["code"]


def test_an_upload_becomes_a_job_with_progress_result_and_refused_rows(api: Api, process: Clients) -> None:
    answer = send(api, EXPORT)
    assert answer.status_code == 202, answer.text
    job = answer.get_json()
    assert (job["type"], job["status"]) == ("keyword_import", "queued")
    assert answer.headers["Location"] == f"/v1/jobs/{job['job_id']}"
    assert not {"parameters", "checkpoint", "lease"} & job.keys()
    context = context_for(process, api.tenant_id)
    stored = Repository(JOBS, context).get(job["job_id"]).value
    assert stored.function == "aso-keyword-import-run"
    run_job(context, JobTask(job_id=uuid.UUID(job["job_id"])), run.run)
    [item] = api("GET", "/v1/aso/keywords").get_json()["items"]
    assert (item["keyword"], item["observed_impressions"], item["average_position"]) == ("qr स्कैनर", 80, 10.07)


def test_a_form_is_taken_too(api: Api) -> None:
    boundary = "b0undary"
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="Queries.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\n{EXPORT.decode()}\r\n--{boundary}--\r\n"
    )
    answer = send(api, form.encode(), f"multipart/form-data; boundary={boundary}", "?format=search_console")
    assert answer.status_code == 202, answer.text


def test_an_idempotency_key_begins_one_job(api: Api) -> None:
    key = str(uuid.uuid4())
    first, again = (send(api, EXPORT, key=key) for _ in range(2))
    assert first.get_json()["job_id"] == again.get_json()["job_id"]
    assert first.headers["Location"] == again.headers["Location"]
    assert code(send(api, EXPORT + b"more,1,2,3%,4\n", key=key)) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("content", "content_type", "query", "refusal"),
    [
        (EXPORT, "application/pdf", "", (415, "unsupported_media_type")),
        (b"%PDF-1.7", "text/csv", "", (415, "unsupported_file_type")),
        (b"PK\x03\x04", "text/csv", "", (415, "unsupported_file_type")),
        (b"volume\n1\n", "text/csv", "", (422, "unknown_format")),
        (b"keyword,keyword\na,b\n", "text/csv", "", (422, "duplicate_columns")),
        (EXPORT, "text/csv", "?format=xlsx", (422, "validation_failed")),
        (EXPORT, "text/csv", "?from=2026-13-01&to=2026-01-01", (422, "validation_failed")),
        (EXPORT, "text/csv", "?from=2026-01-01", (422, "invalid_range")),
    ],
)
def test_what_cannot_be_imported_is_refused_at_once(
    content: bytes, content_type: str, query: str, refusal: tuple[int, str], api: Api
) -> None:
    assert code(send(api, content, content_type, query)) == refusal


def test_an_empty_body_is_refused(api: Api) -> None:
    assert send(api, b"").status_code in {400, 422}


def test_reading_is_not_enough_to_import(reader: Api) -> None:
    assert code(send(reader, EXPORT))[0] == 403
