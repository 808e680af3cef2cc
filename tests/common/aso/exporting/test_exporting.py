"""Exports as jobs: snapshots that go on after a crash and come out the same, and links to them."""

from __future__ import annotations

import csv
import hashlib
import io
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import openpyxl
import pytest

from common import objects
from common.aso import keywords
from common.aso.exporting import run as run_module
from common.aso.exporting import start
from common.aso.exporting.kinds import SOURCES
from common.aso.exporting.models import FILTERS, ExportFilters, ExportRequest
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, NotFound, Unprocessable
from common.exports import run as exports
from common.exports.source import Page, Reading, Source, of_rows
from common.jobs.entities import JOBS
from common.jobs.models import Job
from common.jobs.run import JobRun
from common.jobs.service import cancel
from common.store import Repository, transact
from tests.common.aso.jobs import finished, make_buckets, result_of
from tests.common.aso.scan.conftest import context_for

SIX = [
    {"keyword": f"schlüssel {number}", "search_volume": number, "difficulty_score": number / 2} for number in range(6)
]


@pytest.fixture(scope="module", autouse=True)
def buckets(clients: Clients) -> None:
    make_buckets(clients)


@pytest.fixture
def tenant(clients: Clients) -> Context:
    return context_for(clients, f"export_{uuid.uuid4().hex[:10]}")


def begun(context: Context, **body: Any) -> uuid.UUID:
    answer = start.start(context, ExportRequest.model_validate({"kind": "keywords", **body}))
    assert answer.status == 202
    assert answer.headers["Location"] == f"/v1/jobs/{answer.content.job_id}"
    return answer.content.job_id


def content(context: Context, job_id: uuid.UUID, extension: str = "csv") -> bytes:
    found = objects.read(context, context.clients.settings.report_bucket, f"exports/{job_id}/file.{extension}")
    assert found is not None
    return found


def rows_of(context: Context, job_id: uuid.UUID) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content(context, job_id).decode("utf-8-sig"), newline="")))


def parts(context: Context, job_id: uuid.UUID) -> list[str]:
    return objects.paths(context, context.clients.settings.report_bucket, f"exports/{job_id}/parts")


def test_keywords_come_out_as_they_are(tenant: Context) -> None:
    told = [*SIX, {"keyword": "=1+1", "search_volume": 7}]
    keywords.upsert(tenant, told)
    job_id = begun(tenant)
    result = result_of(tenant, job_id, run_module.run)
    found = rows_of(tenant, job_id)
    assert {(row["keyword"], row["search_volume"]) for row in found} == {
        ("'" + row["keyword"] if row["keyword"] == "=1+1" else row["keyword"], str(row["search_volume"]))
        for row in told
    }
    assert [row["keyword_id"] for row in found] == sorted(row["keyword_id"] for row in found)
    assert "tenant_id" not in found[0]
    assert (result["rows"], result["consistency"], result["sheets"]) == (7, "snapshot", 1)
    assert result["size"] == len(content(tenant, job_id))
    assert result["sha256"] == hashlib.sha256(content(tenant, job_id)).hexdigest()
    assert parts(tenant, job_id) == [], "what was read is not kept twice"


def test_a_workbook_has_types(tenant: Context) -> None:
    keywords.upsert(tenant, SIX)
    job_id = begun(tenant, format="xlsx", name="Für den Vorstand")
    result = result_of(tenant, job_id, run_module.run)
    assert result["filename"] == "Für den Vorstand.xlsx"
    [sheet] = openpyxl.load_workbook(io.BytesIO(content(tenant, job_id, "xlsx"))).worksheets
    heading, *found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    cells = {row[heading.index("keyword")]: dict(zip(heading, row, strict=True)) for row in found}
    assert cells["schlüssel 3"]["search_volume"] == 3
    assert cells["schlüssel 3"]["difficulty_score"] == 1.5
    assert isinstance(cells["schlüssel 3"]["created_at"], datetime)
    assert sheet.title == "keywords"


@pytest.mark.parametrize("extension", ["csv", "xlsx"])
def test_the_same_data_makes_the_same_bytes(tenant: Context, extension: str) -> None:
    keywords.upsert(tenant, SIX)
    digests = {result_of(tenant, begun(tenant, format=extension), run_module.run)["sha256"] for _ in range(2)}
    assert len(digests) == 1


def test_filters_choose(tenant: Context) -> None:
    keywords.upsert(tenant, [{"keyword": "buy shoes"}, {"keyword": "how to run"}, {"keyword": "shoes"}])
    job_id = begun(tenant, filters={"intent": "transactional"})
    result_of(tenant, job_id, run_module.run)
    assert [row["keyword"] for row in rows_of(tenant, job_id)] == ["buy shoes"]


def test_nothing_to_export_is_a_table_without_rows(tenant: Context) -> None:
    for extension in ("csv", "xlsx"):
        job_id = begun(tenant, format=extension)
        assert result_of(tenant, job_id, run_module.run)["rows"] == 0
    assert begun(tenant, kind="opportunities")


class Death(BaseException):
    """The end of a process."""


def numbers(amount: int, dies_after: int | None = None) -> Source:
    """A source of numbers in pages of 900."""

    def pages(reading: Reading) -> Iterator[Page]:
        for first in range(int(reading.after or 0), amount, 900):
            if dies_after is not None and first >= dies_after:
                raise Death
            rows = [
                {"keyword": f"k{number}", "search_volume": number} for number in range(first, min(first + 900, amount))
            ]
            yield Page(rows=rows, cursor=first + 900)

    return Source(columns=SOURCES["keywords"].columns, pages=pages)


def freed(context: Context, job_id: uuid.UUID) -> None:
    """End the lease of a run that died."""

    def work(work: Any) -> Job:
        record = work.get(JOBS, str(job_id))
        job: Job = work.update(JOBS, record, record.value.model_copy(update={"lease": None}))
        return job

    transact(context, work, answers=False)


@pytest.mark.parametrize("extension", ["csv", "xlsx"])
def test_a_crash_goes_on_with_what_was_read(tenant: Context, extension: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.jobs.run.WRITE_EVERY", 0.0)
    whole = begun(tenant, format=extension)
    expected = result_of(tenant, whole, lambda job: exports.run(job, {"keywords": numbers(9000)}))
    job_id = begun(tenant, format=extension)

    def dying(job: JobRun) -> Any:
        return exports.run(job, {"keywords": numbers(9000, dies_after=6300)})

    with pytest.raises(Death):
        finished(tenant, job_id, dying)
    assert len(parts(tenant, job_id)) >= 2
    freed(tenant, job_id)
    seen: list[Any] = []

    def goes_on(job: JobRun) -> Any:
        seen.append(job.checkpoint)
        return exports.run(job, {"keywords": numbers(9000)})

    result = result_of(tenant, job_id, goes_on)
    assert seen[0]["rows"] > 0, "it did not begin again"
    assert (result["sha256"], result["rows"]) == (expected["sha256"], 9000)


def test_a_crash_between_file_and_answer_changes_nothing(tenant: Context) -> None:
    job_id = begun(tenant)
    kept: list[str] = []

    def dying(job: JobRun) -> Any:
        result = exports.run(job, {"keywords": numbers(3000)})
        kept.append(str(result["sha256"]))
        raise Death

    with pytest.raises(Death):
        finished(tenant, job_id, dying)
    assert parts(tenant, job_id) == []
    freed(tenant, job_id)
    assert [result_of(tenant, job_id, run_module.run)["sha256"]] == kept


def test_a_snapshot_holds_what_was_there_when_it_began(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    keywords.upsert(tenant, SIX)
    monkeypatch.setattr("common.warehouse.source.PAGE", 2)
    job_id = begun(tenant)

    def disturbed(job: JobRun) -> Any:
        original = SOURCES["keywords"]

        def pages(reading: Reading) -> Iterator[Page]:
            for number, page in enumerate(original.pages(reading)):
                yield page
                if number == 0:
                    keywords.upsert(tenant, [{**row, "search_volume": 99} for row in SIX])
                    keywords.upsert(tenant, [{"keyword": f"late {late}"} for late in range(5)])

        source = Source(columns=original.columns, pages=pages, pinned=True)
        return exports.run(job, {"keywords": source})

    result = result_of(tenant, job_id, disturbed)
    assert result["consistency"] == "snapshot"
    assert sorted(row["search_volume"] for row in rows_of(tenant, job_id)) == [str(number) for number in range(6)]


def test_rows_that_are_computed_are_passed_over_after_a_crash() -> None:
    source = of_rows([], lambda context, filters: [{"n": number} for number in range(5000)])
    reading: dict[str, Any] = {"context": None, "filters": {}, "read_time": datetime.now(UTC)}
    pages = list(source.pages(Reading(**reading, after=None)))
    assert [page.cursor for page in pages] == [2000, 4000, 5000]
    rest = list(source.pages(Reading(**reading, after=4000)))
    assert [row["n"] for page in rest for row in page.rows] == list(range(4000, 5000))


# ---------------------------------------------------------------------- requests


def refused(**body: Any) -> tuple[str, list[str]]:
    with pytest.raises(Unprocessable) as caught:
        start.checked_filters(ExportRequest.model_validate(body), date(2026, 11, 21))
    return caught.value.code, [error.pointer for error in caught.value.errors]


def test_filters_of_another_kind_are_refused() -> None:
    assert refused(kind="keywords", filters={"status": "new", "from": "2026-01-01"}) == (
        "filter_unknown",
        ["/filters/from", "/filters/status"],
    )
    assert refused(kind="content", filters={"intent": "commercial"}) == ("filter_unknown", ["/filters/intent"])


def test_a_period_is_filled_in_and_bounded() -> None:
    today = date(2026, 11, 21)
    usual = start.checked_filters(ExportRequest(kind="ranks"), today)
    assert usual == {"from": (today - timedelta(days=90)).isoformat(), "to": "2026-11-21"}
    assert refused(kind="ranks", filters={"from": "2026-02-01", "to": "2026-01-01"})[0] == "invalid_range"
    assert refused(kind="ranks", filters={"from": "2024-01-01", "to": "2026-01-01"})[0] == "range_too_long"
    assert start.checked_filters(ExportRequest(kind="ranks", filters=ExportFilters(to="0001-01-02")), today)["from"]


def test_every_kind_can_be_read() -> None:
    assert SOURCES.keys() == FILTERS.keys()


# ---------------------------------------------------------------------- links


def test_a_link_waits_for_the_file(tenant: Context) -> None:
    job_id = begun(tenant)
    with pytest.raises(Conflict) as caught:
        start.link(tenant, job_id)
    assert (caught.value.code, caught.value.headers) == ("export_not_ready", {"Retry-After": "5"})
    result = result_of(tenant, job_id, run_module.run)
    link = start.link(tenant, job_id)
    assert (link.size, link.sha256, link.rows, link.filename) == (
        result["size"],
        result["sha256"],
        0,
        f"keywords-{datetime.now(UTC):%Y-%m-%d}.csv",
    )
    assert timedelta(minutes=14) < link.expires_at - datetime.now(UTC) <= timedelta(minutes=15)
    assert f"/{tenant.tenant_id}/exports/{job_id}/file.csv?" in link.url


def test_an_export_that_ended_badly_has_no_link(tenant: Context) -> None:
    job_id = begun(tenant)
    cancel(tenant, job_id)
    with pytest.raises(Conflict) as caught:
        start.link(tenant, job_id)
    assert caught.value.code == "export_failed"
    failed = begun(tenant)

    def fails(job: JobRun) -> None:
        raise Unprocessable("export_too_large", "More than that.")

    assert finished(tenant, failed, fails).status == "failed"
    with pytest.raises(Conflict, match="More than that"):
        start.link(tenant, failed)


def test_links_are_of_ones_own_exports_only(tenant: Context, clients: Clients) -> None:
    job_id = begun(tenant)
    result_of(tenant, job_id, run_module.run)
    stranger = context_for(clients, f"export_{uuid.uuid4().hex[:10]}")
    for context, export_id in ((stranger, job_id), (tenant, uuid.uuid4())):
        with pytest.raises(NotFound) as caught:
            start.link(context, export_id)
        assert caught.value.code == "export_not_found"
    assert Repository(JOBS, tenant).get(str(job_id)).value.type == "aso_export"


def test_a_file_that_was_deleted_says_so(tenant: Context) -> None:
    job_id = begun(tenant)
    result_of(tenant, job_id, run_module.run)
    objects.delete(tenant, tenant.clients.settings.report_bucket, f"exports/{job_id}/file.csv")
    with pytest.raises(NotFound) as caught:
        start.link(tenant, job_id)
    assert caught.value.code == "export_expired"
