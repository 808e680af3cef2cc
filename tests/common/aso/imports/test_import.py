"""Imports end to end on documents and objects: good rows in, wrong rows back, the same file again changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common import objects
from common.aso.entities import KEYWORDS, RANK_OBSERVATIONS
from common.aso.imports import apply as apply_module
from common.aso.imports import run as run_module
from common.aso.site.models import SettingsInput
from common.aso.site.service import put
from common.context import Context
from common.errors import Refusal
from common.jobs import service
from common.jobs.entities import JOBS
from common.jobs.run import JobRun
from common.store import Repository, transact
from tests.common.aso.imports.running import counts, errors, finish, imported, keyword, upload

SAMPLES = Path(__file__).parents[4] / "triggers" / "demo" / "data"
METRICS = b"Keyword,Volume,KD,Rank,Date\nscanner,2400,30,12,%b\nreader,900,,,\n" % (
    datetime.now(UTC).date().isoformat().encode()
)


def versions(context: Context) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for record in Repository(KEYWORDS, context).select():
        found[record.value.keyword_id] = record.update_time
    for observation in Repository(RANK_OBSERVATIONS, context).select():
        found[observation.value.observation_id] = observation.update_time
    return found


def test_the_samples_of_the_demonstration_import_without_a_refusal(tenant: Context) -> None:
    result = imported(tenant, (SAMPLES / "search-console-queries.csv").read_bytes())
    assert counts(result) == {"created": 40}
    assert (result["format"], result["period"], result["as_of_basis"]) == ("search_console", "unknown", "first_upload")
    seen = keyword(tenant, "साइकिल मरम्मत")
    assert (seen.observed_impressions, seen.observed_clicks, seen.observed_days) == (960, 41, None)
    assert (seen.average_position, seen.current_ranking, seen.search_volume) == (10.07, 10, None)
    result = imported(tenant, (SAMPLES / "keyword-metrics.csv").read_bytes())
    assert counts(result) == {"created": 2, "updated": 18}
    both = keyword(tenant, "gravel tyre pressure calculator")
    assert (both.search_volume, both.difficulty_score, both.observed_impressions) == (4400, 24.0, 24120)
    assert keyword(tenant, "tubeless conversion cost").current_ranking is None


@pytest.mark.parametrize("query", [{}, {"from": "2026-03-01", "to": "2026-03-28"}])
def test_importing_a_file_again_changes_nothing(query: dict[str, str], measured: Context) -> None:
    tenant = measured
    content = (SAMPLES / "search-console-queries.csv").read_bytes()
    imported(tenant, content, **query)
    before = versions(tenant)
    assert counts(imported(tenant, content, **query)) == {"unchanged": 40}
    assert versions(tenant) == before
    imported(tenant, METRICS)
    before = versions(tenant)
    assert counts(imported(tenant, METRICS)) == {"unchanged": 2}
    assert versions(tenant) == before


def test_the_period_given_with_the_upload_is_kept(measured: Context) -> None:
    tenant = measured
    imported(
        tenant, b"Query,Clicks,Impressions,CTR,Position\na,1,10,10%,3.4\n", **{"from": "2026-03-01", "to": "2026-03-28"}
    )
    found = keyword(tenant, "a")
    assert (found.observed_days, found.observed_until) == (28, "2026-03-28")
    assert [(each.date, each.position) for each in found.serp_history] == [("2026-03-28", 3.4)]


def test_a_later_export_of_the_same_period_is_no_contradiction(measured: Context) -> None:
    tenant = measured
    header = b"Query,Clicks,Impressions,CTR,Position\n"
    period = {"from": "2026-03-01", "to": "2026-03-28"}
    imported(tenant, header + b"later,1,10,10%,3.4\n", **period)
    assert counts(imported(tenant, header + b"later,2,12,16.67%,3.6\n", **period)) == {"updated": 1}
    assert keyword(tenant, "later").observed_clicks == 2


def test_good_rows_are_imported_and_the_others_come_back_to_be_corrected(tenant: Context) -> None:
    content = "Keyword;Volume;KD;Note\ngut;100;10;x\n=SUM(A1);viele;10;-1\n\nzu teuer;5;500;@x\nmünchen;7;7;\n"
    job_id = upload(tenant, content.encode("utf-16"))
    job = finish(tenant, job_id)
    assert job.result is not None
    assert counts(job.result) == {"created": 2, "refused": 2}
    assert job.result["ignored_columns"] == ["Note"]
    assert (job.progress.done, job.progress.total, job.errors_file) == (4, 4, True)
    wrong = errors(tenant, job_id)
    assert [(row["row_number"], row["Keyword"], row["Note"]) for row in wrong] == [
        ("3", "'=SUM(A1)", "-1"),
        ("5", "zu teuer", "'@x"),
    ]
    assert wrong[0]["errors"].startswith("Volume: invalid_number (")
    assert wrong[1]["errors"].startswith("KD: out_of_range (")
    assert keyword(tenant, "münchen").search_volume == 7


def test_ranks_of_pages_on_other_hosts_are_counted_and_not_taken(tenant: Context) -> None:
    put(tenant, SettingsInput(site_hosts=["example.org"]))
    header = "Keyword,Country,Volume,KD,Current position,Current URL,Organic traffic"
    rows = "a,de,10,5,3,https://rival.com/a,1\nb,de,20,6,4,https://www.example.org/b,1\n"
    result = imported(tenant, f"{header}\n{rows}".encode())
    assert (result["created"], result["ranks_of_other_sites"]) == (2, 1)
    assert (keyword(tenant, "a").search_volume, keyword(tenant, "a").current_ranking) == (10, None)
    assert keyword(tenant, "b").current_ranking == 4


def test_names_of_columns_are_guarded_in_the_list_of_refused_rows_too(tenant: Context) -> None:
    job_id = upload(tenant, b"=cmd|' /c calc'!A1,keyword,volume\n=1+1,scan,many\n")
    finish(tenant, job_id)
    assert errors(tenant, job_id)[0].items() >= {("'=cmd|' /c calc'!A1", "'=1+1"), ("keyword", "scan")}


def test_the_list_of_refused_rows_corrected_is_taken(tenant: Context) -> None:
    job_id = upload(tenant, b"keyword;volume\n=SUM(A1);viele\nzwei;x\n")
    assert counts(finish(tenant, job_id).result or {}) == {"refused": 2}
    listed = b"".join(service.errors(tenant, job_id).chunks)
    assert counts(imported(tenant, listed.replace(b"viele,2", b"5,2"))) == {"created": 1, "refused": 1}
    assert keyword(tenant, "=SUM(A1)").search_volume == 5


def test_a_formula_is_a_keyword_like_any_other(tenant: Context) -> None:
    assert counts(imported(tenant, b"keyword,volume\n=cmd|' /c calc'!A1,5\n")) == {"created": 1}
    assert keyword(tenant, "=cmd|' /c calc'!A1").keyword == "=cmd|' /c calc'!A1"


def test_a_keyword_in_several_rows_has_its_ranks_and_the_numbers_of_the_first(tenant: Context) -> None:
    today, yesterday = (datetime.now(UTC).date() - timedelta(days=days) for days in (0, 1))
    content = (
        f"keyword,volume,rank,date\nscan,10,9,{yesterday}\nSCAN,10,7,{today}\nscan,11,5,{today}\nscan,10,,\n"
        f"other,1,50,{today}\n"
    )
    job_id = upload(tenant, content.encode())
    job = finish(tenant, job_id)
    assert job.result is not None
    assert counts(job.result) == {"created": 2, "updated": 1, "refused": 2}
    assert [(row["row_number"], row["errors"].partition(" ")[0]) for row in errors(tenant, job_id)] == [
        ("4", "conflicting_duplicate"),
        ("5", "duplicate_row"),
    ]
    found = keyword(tenant, "scan")
    assert (found.current_ranking, found.best_ranking, found.search_volume) == (7, 7, 10)
    assert [each.position for each in found.serp_history] == [9, 7]


def test_a_row_that_the_keywords_refuse_is_told_by_its_column(tenant: Context) -> None:
    old = (datetime.now(UTC) - timedelta(days=5 * 365)).date().isoformat()
    job_id = upload(tenant, f"keyword,checked at,position\nscan,{old},4\n".encode())
    assert counts(finish(tenant, job_id).result or {}) == {"refused": 1}
    assert errors(tenant, job_id)[0]["errors"].startswith("check_too_old (")


def test_two_imports_at_once_are_one(tenant: Context) -> None:
    content = b"keyword,volume\n" + b"".join(b"keyword %d,%d\n" % (number, number) for number in range(150))
    jobs = [upload(tenant, content) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        results = [job.result or {} for job in pool.map(lambda job_id: finish(tenant, job_id), jobs)]
    assert sum(result["created"] for result in results) == 150
    assert all(result["created"] + result["unchanged"] == 150 for result in results)
    assert Repository(KEYWORDS, tenant).count() == 150


def test_an_import_that_crashed_goes_on_at_its_checkpoint(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "CHUNK", 10)
    monkeypatch.setattr("common.jobs.run.WRITE_EVERY", 0.0)
    lines = [f"keyword {number},{'x' if number in {3, 27} else number}" for number in range(40)]
    job_id = upload(tenant, ("keyword,volume\n" + "\n".join(lines) + "\n").encode())
    applied: list[list[int]] = []
    real = apply_module.apply

    def failing(context: Context, rows: Any, *arguments: Any) -> Any:
        applied.append([row.number for row in rows])
        if len(applied) == 3:
            raise RuntimeError("the instance is gone")
        return real(context, rows, *arguments)

    monkeypatch.setattr(run_module, "apply", failing)
    with pytest.raises(RuntimeError, match="gone"):
        finish(tenant, job_id)
    assert Repository(KEYWORDS, tenant).count() == 19
    job = finish(tenant, job_id)
    assert [numbers[0] for numbers in applied] == [2, 12, 22, 22, 32]
    assert counts(job.result or {}) == {"created": 38, "refused": 2}
    assert [row["row_number"] for row in errors(tenant, job_id)] == ["5", "29"]


def test_an_import_that_is_cancelled_stops(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "CHUNK", 5)
    monkeypatch.setattr("common.jobs.run.WRITE_EVERY", 0.0)
    content = b"keyword\n" + b"".join(b"keyword %d\n" % number for number in range(20))
    job_id = upload(tenant, content)
    real = apply_module.apply

    def cancelling(*arguments: Any) -> Any:
        def cancel(work: Any) -> None:
            record = work.get(JOBS, str(job_id))
            work.update(JOBS, record, record.value.model_copy(update={"status": "cancelled"}))

        transact(tenant, cancel)
        return real(*arguments)

    monkeypatch.setattr(run_module, "apply", cancelling)
    assert finish(tenant, job_id).status == "cancelled"
    assert Repository(KEYWORDS, tenant).count() == 5


def test_a_file_that_is_gone_ends_the_job_with_the_reason(tenant: Context) -> None:
    job_id = upload(tenant, METRICS)
    objects.delete(tenant, tenant.clients.settings.content_bucket, f"imports/{job_id}/source.csv")
    job = finish(tenant, job_id)
    assert (job.status, job.error and job.error.code) == ("failed", "source_missing")


@pytest.mark.parametrize(
    ("content", "query", "code"),
    [
        (b"", {}, "empty_file"),
        (b"keyword,volume\n\n", {}, "empty_file"),
        (b"volume,rank\n1,2\n", {}, "unknown_format"),
        (b"keyword,volume\na,1\n", {"format": "search_console"}, "wrong_format"),
        (b"keyword,volume,Search Volume\na,1,1\n", {}, "duplicate_columns"),
        (b"%PDF-1.4", {}, "unsupported_file_type"),
        (b"PK\x03\x04xlsx", {}, "unsupported_file_type"),
        ("keyword\nü\n".encode() + b"a\n" * 50_000 + b"\xff\n", {}, "unsupported_encoding"),
        (METRICS, {"from": "2026-01-01"}, "invalid_range"),
        (METRICS, {"to": "2999-01-01"}, "invalid_range"),
        (METRICS, {"from": "2026-02-01", "to": "2026-01-01"}, "invalid_range"),
    ],
)
def test_what_cannot_be_imported_is_refused_before_a_job_begins(
    content: bytes, query: dict[str, str], code: str, tenant: Context
) -> None:
    with pytest.raises(Refusal) as refusal:
        upload(tenant, content, **query)
    assert refusal.value.code == code
    assert Repository(JOBS, tenant).count() == 0


def test_a_run_reads_the_file_once_more_whatever_its_size(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows across the chunks in which the object is read are whole."""
    monkeypatch.setattr(objects, "CHUNK", 7)
    content = "keyword,volume\n" + "".join(f"schlüssel {number},{number}\n" for number in range(30))
    assert counts(imported(tenant, content.encode())) == {"created": 30}
    assert keyword(tenant, "schlüssel 29").search_volume == 29


def test_progress_is_told_by_rows(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "CHUNK", 10)
    told: list[int] = []
    real = JobRun.progress

    def listening(self: JobRun, done: int, **more: Any) -> None:
        told.append(done)
        real(self, done, **more)

    monkeypatch.setattr(JobRun, "progress", listening)
    imported(tenant, b"keyword\n" + b"".join(b"keyword %d\n" % number for number in range(25)))
    assert told == [10, 20, 25, 25]
