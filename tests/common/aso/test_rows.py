"""Batches judged row by row."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from common.answers import RowResult
from common.aso.keyword_models import KeywordRow, KeywordRows
from common.aso.models import KeywordSummary
from common.aso.rank_models import RankRows
from common.aso.rows import Batch, transact_anew
from common.context import Context
from common.errors import Conflict
from common.store import Work


def test_the_body_describes_its_rows_and_lets_them_pass() -> None:
    schema = TypeAdapter(KeywordRows).json_schema()
    row = schema["properties"]["rows"]["items"]
    assert row["required"] == ["keyword"]
    assert row["properties"]["difficulty_score"]["anyOf"][0]["maximum"] == 100
    assert schema["properties"]["rows"]["maxItems"] == 500
    assert KeywordRows.model_validate({"rows": [5, {"keyword": ""}]}).rows == [5, {"keyword": ""}]


@pytest.mark.parametrize("model", [KeywordRows, RankRows])
def test_the_examples_are_valid(model: type[KeywordRows | RankRows]) -> None:
    schema = model.model_json_schema()["properties"]["rows"]
    [[example]] = schema["examples"]
    assert set(example) <= set(schema["items"]["properties"])
    assert set(schema["items"]["required"]) <= set(example)


def test_results_come_in_the_order_of_the_rows() -> None:
    batch: Batch[KeywordRow, KeywordSummary] = Batch(KeywordRow, [{"keyword": "a"}, None, {"keyword": "b"}])
    assert list(batch.accepted) == [0, 2]
    batch.refuse(2, 409, "busy", "Later.", "/keyword")
    batch.settle({0: RowResult(index=0, status=200, outcome="unchanged")})
    results = batch.results()
    assert [row.outcome for row in results.rows] == ["unchanged", "refused", "refused"]
    assert (results.unchanged, results.refused) == (1, 2)
    assert results.rows[2].problem is not None
    assert results.rows[2].problem.pointer == "/rows/2/keyword"
    assert list(batch.accepted) == [0]


def test_names_with_slashes_are_escaped_in_pointers() -> None:
    batch: Batch[KeywordRow, KeywordSummary] = Batch(KeywordRow, [{"keyword": "a", "b/c~d": 1}])
    problem = batch.results().rows[0].problem
    assert problem is not None
    assert problem.pointer == "/rows/0/b~1c~0d"


def test_only_a_foreign_creation_is_worth_another_look(context: Context) -> None:
    codes = ["keyword_exists", "keyword_exists", "other"]

    def work(work: Work) -> None:
        raise Conflict(codes.pop(0), "Exists.")

    with pytest.raises(Conflict) as conflict:
        transact_anew(context, work, {"keyword_exists"})
    assert (conflict.value.code, codes) == ("other", [])
