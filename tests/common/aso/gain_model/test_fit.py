"""The fit on facts and keywords in the warehouse: counted as the rows say, kept where they say too little."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import timedelta

import pytest

from common.aso import gain
from common.aso.entities import CTR_FIT, SCAN
from common.aso.gain_model import curve, fit
from common.aso.gain_model.curve import Sighting
from common.aso.gain_model.curve_query import evidence
from common.aso.gain_model.models import CurveQuery, FitTask
from common.aso.gain_model.service import gain_model_of
from common.aso.performance.models import PerformanceRow
from common.aso.performance.record import record
from common.aso.site.models import SettingsInput
from common.aso.site.service import put
from common.clients.firestore import firestore_client
from common.context import Context
from common.warehouse import marks
from tests.common.aso.gain_model.conftest import NOW, TODAY, MakeTenant, clicked, fruits
from tests.common.aso.performance.test_record import emptied
from tests.common.aso.scan.conftest import Warehouse, context_for, keyword

QUERIES = ("acme drill", "cordless drill", "ACME  tools", "drill bits", "acmetools", "best drill")


def random_rows(seed: int, number: int = 240) -> list[PerformanceRow]:
    """Return rows that differ in day, query, device and features."""
    rng = random.Random(seed)
    rows: dict[tuple[str, str, str], PerformanceRow] = {}
    for _ in range(number):
        query, device = rng.choice(QUERIES), rng.choice(["desktop", "mobile", "tablet"])
        position = rng.choice([1.0, 2.5, rng.uniform(1, 34), float(rng.randint(1, 32))])
        impressions = rng.randint(0, 400)
        day = TODAY - timedelta(days=rng.randint(0, 60))
        features = rng.sample(["video", "ai_overview"], rng.randint(0, 2))
        rows[(day.isoformat(), query, device)] = clicked(
            query,
            position,
            impressions,
            rng.randint(0, impressions),
            day,
            device=device,
            features=features,
        )
    return list(rows.values())


@pytest.fixture(scope="module")
def tenant(make_tenant: MakeTenant) -> Context:
    """A tenant with facts and a brand."""
    context = make_tenant()
    put(context, SettingsInput(brand_terms=["Acme", "acme tools"]))
    record(context, random_rows(1), "import-1")
    return context


@pytest.fixture(scope="module")
def _plain(make_tenant: MakeTenant) -> Context:
    return make_tenant()


@pytest.fixture
def plain(_plain: Context) -> Context:
    """A tenant without facts, keywords and curves."""
    client = _plain.clients.get(firestore_client)
    for collection in ("ctr_curves", "reach_models"):
        client.document(f"{collection}/{_plain.tenant_id}").delete()
    Warehouse(_plain).clear("keyword")
    return emptied(context_for(_plain.clients, _plain.tenant_id))


def test_the_warehouse_counts_as_python_does_segment_by_segment(tenant: Context) -> None:
    seen = evidence(tenant, ("acme", "acme tools"), TODAY)
    expected: dict[str, list[Sighting]] = defaultdict(list)
    for row in random_rows(1):
        if row.position is None or row.impressions == 0:
            continue
        sighting = Sighting(position=row.position, impressions=row.impressions, clicks=row.clicks)
        brand = "brand" if row.query in {"acme drill", "ACME  tools"} else "nonbrand"
        device = f"device:{row.device}"
        for key in ("all", brand, device, f"{brand}/{device}", *(f"feature:{name}" for name in row.features)):
            expected[key].append(sighting)
    assert seen.segments.keys() == expected.keys()
    for key, sightings in expected.items():
        counted = curve.counted(sightings)
        assert list(seen.segments[key].impressions) == pytest.approx(list(counted.impressions), abs=1e-4), key
        assert list(seen.segments[key].clicks) == pytest.approx(list(counted.clicks), abs=1e-4), key
    assert (seen.basis, seen.rows_left_out) == ("search_performance", 0)
    assert seen.rows_used == sum(
        row.impressions > 0 and row.position is not None and row.position < gain.WORST_RANK + 1
        for row in random_rows(1)
    )


def test_without_brand_terms_there_is_no_brand(tenant: Context) -> None:
    keys = evidence(tenant, (), TODAY).segments.keys()
    assert keys == {"all", "device:desktop", "device:mobile", "device:tablet", "feature:video", "feature:ai_overview"}


def test_a_fit_is_stored_versioned_listed_and_wakes_the_scan_only_when_it_changed(plain: Context) -> None:
    context = plain
    before = fit.listed(context, CurveQuery())
    assert b'"version":0' in before.body
    rows = [
        clicked(f"rank {rank}", float(rank), 20_000, round(20_000 * min(1.0, 2 * gain.click_through(rank))))
        for rank in range(1, 31)
    ]
    record(context, rows, "import-1")
    [due] = [mark for mark in marks.due(context, CTR_FIT) if mark.tenant_id == context.tenant_id]
    assert due.subject == marks.EVERYTHING, "new facts make the fit due"
    claim = marks.claim(context, CTR_FIT, context.tenant_id)
    assert claim is not None

    result = fit.fit_claimed(context, FitTask(working_since=claim.working_since))
    assert (result.changed, result.curves.version, result.curves.basis) == (True, 1, "search_performance")
    assert result.reach.reason == "too_few_outcomes"
    assert marks.claim(context, CTR_FIT, context.tenant_id) is None
    assert marks.claim(context, SCAN, context.tenant_id) is not None, "the scan follows a new model"
    model = gain_model_of(context)
    assert model.version == "curve-1"
    assert model.click_through(1) == pytest.approx(2 * gain.click_through(1), rel=0.05)

    again = fit.fit(context)
    assert (again.changed, again.curves.version) == (False, 1)
    assert again.curves.fitted_at > result.curves.fitted_at  # type: ignore[operator]
    shown = {
        name: json.loads(fit.listed(context, CurveQuery(segment=name)).body)["segments"] for name in ("all", "brand")
    }
    assert [each["key"] for each in shown["all"]] == ["all"]
    assert shown["brand"] == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "too_few_impressions"),
        ([clicked("one", 3.0, 90_000, 4000)], "too_few_ranks"),
        ([clicked(f"q{rank}", float(rank), 5000, 0) for rank in range(1, 20)], "too_few_clicks"),
        ([clicked("zero", 3.0, 0, 0), clicked("few", 2.0, 9, 1)], "too_few_impressions"),
    ],
    ids=["nothing", "one rank", "no clicks", "too little"],
)
def test_bad_and_scarce_facts_keep_the_prior_and_say_why(
    rows: list[PerformanceRow], reason: str, plain: Context
) -> None:
    record(plain, rows, "import-1")
    result = fit.fit(plain)
    assert [(each.key, each.state, each.reason) for each in result.curves.segments] == [("all", "kept", reason)]
    assert (result.changed, result.curves.version) == (False, 0)
    assert tuple(result.curves.segments[0].click_through) == pytest.approx(gain.CLICK_THROUGH)
    assert gain_model_of(plain).version == "prior"


def test_keywords_stand_in_where_there_are_no_facts_and_impossible_figures_are_left_out(
    plain: Context,
) -> None:
    values = [
        each.model_copy(
            update={
                "average_position": float(rank),
                "observed_impressions": 9000,
                "observed_clicks": round(9000 * gain.click_through(rank) / 2),
            }
        )
        for rank, each in enumerate(fruits(plain, 25), start=1)
    ]
    impossible: list[dict[str, int | None]] = [
        {"observed_impressions": 10, "observed_clicks": 11},
        {"observed_impressions": -4, "observed_clicks": 0},
        {"observed_impressions": 0, "observed_clicks": 0},
        {"observed_impressions": 10, "observed_clicks": None},
    ]
    odd = [
        keyword(plain, f"odd {number}", last_checked=NOW, average_position=2.0, **figures)
        for number, figures in enumerate(impossible)
    ]
    Warehouse(plain).keywords(*values, *odd)
    result = fit.fit(plain)
    assert (result.curves.basis, result.curves.rows_used, result.curves.rows_left_out) == ("keywords", 25, 2)
    assert result.curves.segments[0].state == "fitted"
    assert result.curves.segments[0].click_through[0] == pytest.approx(gain.click_through(1) / 2, rel=0.1)
