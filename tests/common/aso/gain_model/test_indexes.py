"""Every query of outcomes and of reconciling has its index: the emulator answers without, the cloud does not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from common.aso.gain_model import outcomes
from common.aso.gain_model.models import OutcomeQuery
from common.aso.opportunities import reconcile
from common.collection import Collection, Filter
from common.context import Context
from tests.common.aso.test_entities import has_index

NOW = datetime.now(UTC)
ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"

QUERIES: dict[str, Callable[[Context], object]] = {
    "outcomes": lambda context: outcomes.listed(context, OutcomeQuery()),
    "outcomes of one": lambda context: outcomes.listed(context, OutcomeQuery(opportunity_id=ID)),
    "outcomes by both": lambda context: outcomes.listed(context, OutcomeQuery(opportunity_id=ID, horizon_days=56)),
    "measuring": lambda context: outcomes.measure(context, NOW),
    "reconciling": lambda context: reconcile(context, ["link_gap", "content_decay"], [], NOW, limit=5),
}


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_has_its_indexes(context: Context, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    whole = Collection.query

    @functools.wraps(whole)
    def watched(self: Collection[Any], filters: Sequence[Filter], order: Sequence[str] = ()) -> Any:
        assert has_index(self.entity, filters, order), (self.entity.name, filters, order)
        seen.append(True)
        return whole(self, filters, order)

    monkeypatch.setattr(Collection, "query", watched)
    QUERIES[name](context)
    assert seen
