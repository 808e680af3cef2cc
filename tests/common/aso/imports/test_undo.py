"""Undo: after it everything reads as before, what others changed stays, and it happens once, however often asked."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from common.aso import keywords, ranks
from common.aso.entities import KEYWORDS
from common.aso.imports import apply as apply_module
from common.aso.imports import run as run_module
from common.aso.imports import service as imports
from common.aso.imports import undo as undo_module
from common.aso.imports import undo_run
from common.aso.imports.entities import IMPORTS
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, NotFound
from common.jobs.entities import JOBS
from common.jobs.models import JobTask
from common.jobs.run import run_job
from common.jobs.service import cancel
from common.store import Repository, transact
from tests.common.aso.imports.running import counts, finish, imported, keyword, state, the_import, undone, upload
from tests.common.aso.scan.conftest import context_for

TENANTS = itertools.count(1)
TODAY = datetime.now(UTC).date()
DAYS = [(TODAY - timedelta(days=days)).isoformat() for days in (1, 2, 3)]


def told(context: Context, text: str, **fields: Any) -> None:
    """Say something about a keyword, as a person does."""
    assert keywords.upsert(context, [{"keyword": text, **fields}]).refused == 0


def observed(context: Context, text: str, day: str, position: float, **fields: Any) -> None:
    """Record a rank, as a tracker does."""
    row = {"keyword": text, "date": day, "state": "ranked", "position": position, "source": "tracker", **fields}
    assert ranks.record(context, [row], create_missing=True).refused == 0


def test_an_import_and_its_undo_leave_everything_as_it_was(tenant: Context) -> None:
    told(tenant, "known", search_volume=10, difficulty_score=20, intent="commercial", source="api")
    observed(tenant, "known", DAYS[1], 30)
    told(tenant, "untouched", search_volume=5)
    before = state(tenant)
    content = f"keyword,volume,kd,intent,rank,date\nknown,2400,55,transactional,7,{DAYS[0]}\nnew,100,1,,4,{DAYS[0]}\n"
    result = imported(tenant, content.encode())
    assert counts(result) == {"created": 1, "updated": 1}
    assert keyword(tenant, "known").current_ranking == 7
    assert undone(tenant, result["import_id"]) == {
        "keywords_deleted": 1,
        "keywords_restored": 1,
        "observations_deleted": 2,
    }
    assert state(tenant) == before
    found = the_import(tenant, result["import_id"])
    assert (found.status, found.counts and found.counts.created, found.undo and found.undo.keywords_deleted) == (
        "undone",
        1,
        1,
    )


def test_an_undone_import_can_be_imported_again(tenant: Context) -> None:
    content = b"keyword,volume,rank\nagain,100,3\n"
    first = imported(tenant, content)
    seen = {name: {**value, "created_at": "", "updated_at": ""} for name, value in state(tenant).items()}
    undone(tenant, first["import_id"])
    assert state(tenant) == {}
    assert counts(imported(tenant, content)) == {"created": 1}
    assert {name: {**value, "created_at": "", "updated_at": ""} for name, value in state(tenant).items()} == seen


def test_what_somebody_changed_since_is_kept_and_counted(tenant: Context) -> None:
    told(tenant, "old", search_volume=1, difficulty_score=2)
    result = imported(tenant, f"keyword,volume,kd,rank,date\nold,10,20,5,{DAYS[1]}\nmine,30,40,6,{DAYS[1]}\n".encode())
    told(tenant, "old", search_volume=77)
    told(tenant, "mine", difficulty_score=99)
    observed(tenant, "mine", DAYS[0], 8)
    assert undone(tenant, result["import_id"]) == {
        "keywords_restored": 2,
        "observations_deleted": 2,
        "kept_changed": 2,
    }
    old, mine = keyword(tenant, "old"), keyword(tenant, "mine")
    assert (old.search_volume, old.difficulty_score, old.current_ranking) == (77, 2, None)
    assert (mine.search_volume, mine.difficulty_score) == (None, 99)
    assert (mine.current_ranking, [entry.position for entry in mine.serp_history]) == (8, [8])


def test_numbers_of_one_period_are_taken_back_together_or_not_at_all(measured: Context) -> None:
    export = b"Query,Clicks,Impressions,CTR,Position\nperiod,5,100,5%,3\n"
    result = imported(measured, export, **{"from": "2026-03-01", "to": "2026-03-28"})
    told(measured, "period", observed_clicks=6)
    assert undone(measured, result["import_id"])["kept_changed"] == 1
    found = keyword(measured, "period")
    assert (found.observed_clicks, found.observed_impressions, found.observed_days) == (6, 100, 28)


def test_a_failed_check_that_an_import_replaced_comes_back(tenant: Context) -> None:
    ranks.record(
        tenant,
        [{"keyword": "failed", "date": DAYS[1], "state": "check_failed", "source": "csv"}],
        create_missing=True,
    )
    before = state(tenant)
    result = imported(tenant, f"keyword,rank,date\nfailed,9,{DAYS[1]}\n".encode())
    assert keyword(tenant, "failed").current_ranking == 9
    assert undone(tenant, result["import_id"])["observations_restored"] == 1
    assert state(tenant) == before


def test_what_the_platform_itself_says_of_a_keyword_does_not_keep_it(tenant: Context) -> None:
    result = imported(tenant, b"keyword,volume\nclustered,100\n")

    def learn(work: Any) -> None:
        record = work.get(KEYWORDS, keyword(tenant, "clustered").keyword_id)
        learnt = {"cluster_id": "c1", "intent": "commercial", "intent_source": "model", "intent_confidence": 0.9}
        work.update(KEYWORDS, record, record.value.model_copy(update=learnt))

    transact(tenant, learn)
    assert undone(tenant, result["import_id"]) == {"keywords_deleted": 1}


def test_a_keyword_that_was_deleted_since_stays_deleted(tenant: Context) -> None:
    told(tenant, "gone", search_volume=1)
    result = imported(tenant, f"keyword,volume,rank,date\ngone,10,5,{DAYS[1]}\nfresh,1,,\n".encode())
    for text in ("gone", "fresh"):
        keywords.delete(tenant, keyword(tenant, text).keyword_id)
    told(tenant, "fresh", search_volume=3)
    undone(tenant, result["import_id"])
    assert {each["keyword"] for each in state(tenant).values()} == {"fresh"}
    assert keyword(tenant, "fresh").search_volume == 3


def test_an_undo_that_crashed_goes_on_and_counts_everything_once(
    tenant: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "CHUNK", 5)
    lines = "".join(f"crash {number},{number},{number % 50 + 1},{DAYS[0]}\n" for number in range(20))
    result = imported(tenant, f"keyword,volume,rank,date\n{lines}".encode())
    answer = imports.start_undo(tenant, result["import_id"])
    real, done = undo_module.undo, itertools.count(1)

    def failing(work: Any, entry_id: str) -> Any:
        if next(done) == 4:
            raise RuntimeError("the instance is gone")
        return real(work, entry_id)

    monkeypatch.setattr(undo_run, "undo", failing)
    task = JobTask(job_id=answer.content.job_id)
    with pytest.raises(RuntimeError, match="gone"):
        run_job(tenant, task, undo_run.run)
    assert the_import(tenant, result["import_id"]).status == "undoing"
    assert imports.start_undo(tenant, result["import_id"]).content.job_id == task.job_id
    run_job(tenant, task, undo_run.run)
    assert state(tenant) == {}
    found = the_import(tenant, result["import_id"]).undo
    assert found is not None
    assert (found.keywords_deleted, found.observations_deleted, found.kept_changed) == (20, 20, 0)


def test_two_undos_at_once_are_one(tenant: Context) -> None:
    lines = "".join(f"twice {number},{number},3,{DAYS[0]}\n" for number in range(12))
    import_id = imported(tenant, f"keyword,volume,rank,date\n{lines}".encode())["import_id"]
    jobs = []
    for _ in range(2):
        jobs.append(imports.start_undo(tenant, import_id).content.job_id)

        def forget(work: Any) -> None:
            record = work.get(IMPORTS, import_id)
            work.update(IMPORTS, record, record.value.model_copy(update={"undo_job_id": None}))

        transact(tenant, forget)
    assert len(set(jobs)) == 2
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: run_job(tenant, JobTask(job_id=job), undo_run.run), jobs))
    assert state(tenant) == {}
    found = the_import(tenant, import_id)
    assert (found.status, found.undo and found.undo.keywords_deleted) == ("undone", 12)


def test_what_cannot_be_undone_is_a_clear_conflict(tenant: Context) -> None:
    job_id = upload(tenant, b"keyword\nconflict\n")
    with pytest.raises(Conflict) as running:
        imports.start_undo(tenant, str(job_id))
    assert running.value.code == "import_running"
    finish(tenant, job_id)
    undone(tenant, str(job_id))
    with pytest.raises(Conflict) as again:
        imports.start_undo(tenant, str(job_id))
    assert again.value.code == "import_undone"
    with pytest.raises(NotFound):
        imports.start_undo(context_for(tenant.clients, "somebody_else"), str(job_id))


def test_an_import_too_old_for_its_journal_is_not_undone(tenant: Context) -> None:
    import_id = imported(tenant, b"keyword\nancient\n")["import_id"]

    def age(work: Any) -> None:
        record = work.get(IMPORTS, import_id)
        old = record.value.created_at - timedelta(days=400)
        work.update(IMPORTS, record, record.value.model_copy(update={"created_at": old}))

    transact(tenant, age)
    with pytest.raises(Conflict) as refusal:
        imports.start_undo(tenant, import_id)
    assert refusal.value.code == "undo_expired"


def test_what_a_cancelled_import_had_stored_is_undone(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "CHUNK", 5)
    monkeypatch.setattr("common.jobs.run.WRITE_EVERY", 0.0)
    job_id = upload(tenant, b"keyword\n" + b"".join(b"half %d\n" % number for number in range(20)))
    real = apply_module.apply

    def cancelling(*arguments: Any) -> Any:
        if Repository(JOBS, tenant).get(str(job_id)).value.status == "running":
            cancel(tenant, job_id)
        return real(*arguments)

    monkeypatch.setattr(run_module, "apply", cancelling)
    finish(tenant, job_id)
    assert the_import(tenant, str(job_id)).status == "incomplete"
    assert Repository(KEYWORDS, tenant).count() == 5
    assert undone(tenant, str(job_id)) == {"keywords_deleted": 5}
    assert state(tenant) == {}


def test_more_observations_than_are_folded_at_once_do_not_change_the_best_rank(
    tenant: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo_module, "REFOLDED", 2)
    for day, position in zip(DAYS, (9, 8, 2), strict=True):
        observed(tenant, "long", day, position)
    before = state(tenant)
    result = imported(tenant, f"keyword,rank,date\nlong,1,{DAYS[0]}\n".encode())
    undone(tenant, result["import_id"])
    assert state(tenant) == before


Cell = tuple[str, int | None, int | None, int | None]
TABLES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([None, 10, 20, 300_000]),
        st.sampled_from([None, 5, 50]),
        st.sampled_from([None, 1, 40]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda row: row[0],
)


def table(rows: list[Cell], day: str) -> bytes:
    """Return a file; the day makes its ranks its own."""
    lines = [",".join("" if cell is None else str(cell) for cell in (*row, day)) for row in rows]
    return ("keyword,volume,kd,rank,date\n" + "\n".join(lines) + "\n").encode()


def timeless(found: dict[str, Any]) -> dict[str, Any]:
    """Return a state without when it came about, which two histories do not share."""
    without = {"created_at": "", "updated_at": "", "tenant_id": ""}
    return {
        value["keyword"] + value.get("source", ""): {
            **{name: item for name, item in value.items() if not name.endswith("_id")},
            **without,
            "provenance": {name: each["source"] for name, each in value.get("provenance", {}).items()},
            "serp_history": [(each["date"], each["position"]) for each in value.get("serp_history", [])],
        }
        for value in found.values()
    }


@hypothesis.settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(first=TABLES, second=TABLES, own=TABLES, newest_first=st.booleans())
def test_interleaved_imports_undone_in_any_order_leave_what_was_before(
    first: list[Cell], second: list[Cell], own: list[Cell], newest_first: bool, clients: Clients, buckets: None
) -> None:
    context = prepared(clients, own[0])
    before = state(context)
    one = imported(context, table(first, DAYS[1]))["import_id"]
    two = imported(context, table(second, DAYS[0]))["import_id"]
    order = [two, one] if newest_first else [one, two]
    undone(context, order[0])
    remaining = timeless(state(context))
    undone(context, order[1])
    if newest_first:
        assert state(context) == before
        return
    assert timeless(state(context)) == timeless(before)
    # What is left of two after the older was undone is the newer alone; but a keyword that the newer only named, and
    # found already there, is the older's.
    alone = prepared(clients, own[0])
    imported(alone, table(second, DAYS[0]))
    assert {name: value for name, value in remaining.items() if not only_named(value)} == {
        name: value for name, value in timeless(state(alone)).items() if not only_named(value)
    }


def prepared(clients: Clients, row: Cell) -> Context:
    """Return a tenant that has told something about one keyword."""
    context = context_for(clients, f"interleaved_{next(TENANTS)}")
    text, volume, difficulty, position = row
    told(context, text, search_volume=volume, difficulty_score=difficulty)
    if position is not None:
        observed(context, text, DAYS[2], position)
    return context


def only_named(value: dict[str, Any]) -> bool:
    """Return whether nothing is known of a keyword but that somebody follows it."""
    return "state" not in value and not value["provenance"] and not value["serp_history"]
