"""Intents of stored keywords: the tenant's word first, then its model where it is sure, then the rules."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from pydantic import ValidationError

from common.aso import keywords
from common.aso.entities import KEYWORDS
from common.aso.intent_model import run, service
from common.aso.intent_model.entities import INTENT_MODELS, model_id_of
from common.aso.intent_model.models import IntentAnswer, IntentAnswers, IntentRequest
from common.aso.models import Keyword
from common.aso.normalize import keyword_id_of
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict
from common.store import Repository
from tests.common.aso.intent_model.test_training import samples
from tests.common.aso.jobs import make_buckets, result_of
from tests.common.aso.scan.conftest import context_for


@pytest.fixture(scope="module")
def taught(clients: Clients) -> Context:
    """A tenant that labelled keywords and had its model trained."""
    make_buckets(clients)
    context = context_for(clients, f"intent_{uuid.uuid4().hex[:10]}", seconds=240)
    labelled = {sample.text: sample.intent for sample in samples(500)}
    rows = [{"keyword": text, "intent": intent} for text, intent in labelled.items()]
    assert not keywords.upsert(context, rows).refused
    answer = service.start_training(context)
    with pytest.raises(Conflict) as caught:
        service.start_training(context)
    assert caught.value.code == "training_running"
    result = result_of(context, answer.content.job_id, run.run)
    assert (result["status"], result["labelled"]) == ("applied", len(labelled))
    assert "weights" not in result
    return context


def ids_of(context: Context, *names: str) -> list[str]:
    return [keyword_id_of(context.tenant_id, name) for name in names]


def classified(context: Context, *names: str, **options: Any) -> dict[str, IntentAnswer]:
    found = service.classify(context, IntentRequest(ids=ids_of(context, *names), **options))
    return {each.keyword: each for each in found.items}


def stored(context: Context, name: str) -> Keyword:
    return Repository(KEYWORDS, context).get(keyword_id_of(context.tenant_id, name)).value


def test_the_figures_stand_next_to_the_model(taught: Context) -> None:
    view = service.view(taught)
    assert (view.status, view.reason) == ("applied", None)
    assert view.model is not None
    assert view.rules is not None
    assert view.together is not None
    assert 0 < view.held_out < view.labelled / 2
    assert view.model.answered <= view.held_out
    assert view.together.right >= view.rules.right
    assert sum(view.classes.values()) == view.labelled
    assert Repository(INTENT_MODELS, taught).get(model_id_of(taught.tenant_id)).value.weights is not None


def test_the_tenants_word_then_the_model_then_the_rules(taught: Context) -> None:
    keywords.upsert(
        taught,
        [
            {"keyword": "stove shootout", "intent": "informational"},
            {"keyword": "green tent shootout"},
            {"keyword": "what is felt"},
            {"keyword": "zzzz"},
        ],
    )
    names = ("stove shootout", "green tent shootout", "what is felt", "zzzz")
    told = classified(taught, *names, dry_run=True)
    assert stored(taught, "green tent shootout").intent is None, "a dry run keeps nothing"
    kept = classified(taught, *names)
    assert kept == told
    assert (told[names[0]].intent, told[names[0]].source, told[names[0]].changed) == ("informational", "user", False)
    assert (told[names[1]].intent, told[names[1]].source, told[names[1]].changed) == ("commercial", "model", True)
    assert (told[names[2]].intent, told[names[2]].source) == ("informational", "rule")
    assert (told[names[3]].intent, told[names[3]].abstained, told[names[3]].source) == (None, True, None)
    assert stored(taught, names[1]).intent_source == "model"
    again = classified(taught, *names)
    assert not any(each.changed for each in again.values())


def test_a_models_word_outlives_new_numbers_and_gives_way_to_people(taught: Context) -> None:
    keywords.upsert(taught, [{"keyword": "blue lamp shootout"}])
    classified(taught, "blue lamp shootout")
    keywords.upsert(taught, [{"keyword": "blue lamp shootout", "search_volume": 100}])
    assert stored(taught, "blue lamp shootout").intent_source == "model"
    keywords.upsert(taught, [{"keyword": "blue lamp shootout", "intent": "transactional"}])
    assert classified(taught, "blue lamp shootout")["blue lamp shootout"].source == "user"
    keywords.upsert(taught, [{"keyword": "blue lamp shootout", "intent": None}])
    assert stored(taught, "blue lamp shootout").intent is None


def test_without_a_model_the_rules_answer(clients: Clients) -> None:
    context = context_for(clients, f"intent_{uuid.uuid4().hex[:10]}")
    keywords.upsert(context, [{"keyword": "buy tent"}, {"keyword": "tent shootout"}])
    assert service.view(context).reason == "not_trained"
    told = classified(context, "buy tent", "tent shootout")
    assert (told["buy tent"].intent, told["buy tent"].source) == ("transactional", "rule")
    assert told["tent shootout"].abstained


def test_too_few_labels_are_told(clients: Clients) -> None:
    make_buckets(clients)
    context = context_for(clients, f"intent_{uuid.uuid4().hex[:10]}")
    keywords.upsert(context, [{"keyword": "buy tent", "intent": "commercial"}])
    result = result_of(context, service.start_training(context).content.job_id, run.run)
    assert (result["status"], result["reason"], result["labelled"]) == ("not_applied", "too_few_labels", 1)
    assert classified(context, "buy tent")["buy tent"].source == "user"


def test_another_tenants_model_and_keywords_are_not_ours(taught: Context, clients: Clients) -> None:
    stranger = context_for(clients, f"intent_{uuid.uuid4().hex[:10]}")
    [theirs] = ids_of(taught, "order red tent")
    answer = service.classify(stranger, IntentRequest(ids=[theirs]))
    assert (answer.items, answer.not_found, answer.model) == ([], [theirs], "not_applied")


def test_a_filter_goes_through_all_pages(clients: Clients) -> None:
    context = context_for(clients, f"intent_{uuid.uuid4().hex[:10]}")
    keywords.upsert(context, [{"keyword": f"thing {number}"} for number in range(5)] + [{"keyword": "buy it"}])
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        asked = {"filter": {"intent": "unknown"}, "limit": 2, "cursor": cursor}
        page: IntentAnswers = service.classify(context, IntentRequest.model_validate(asked))
        seen += [each.keyword for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [f"thing {number}" for number in range(5)]


@pytest.mark.parametrize("body", [{}, {"ids": ["a"], "filter": {}}, {"ids": []}, {"ids": ["a"], "cursor": "x"}])
def test_ids_or_a_filter(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IntentRequest.model_validate(body)
