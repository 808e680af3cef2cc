"""Intents of keywords on request: what the tenant said, else what its model is sure of, else what the rules see.

Searches for a brand are no intent of their own here: the documents know informational, commercial and transactional,
and a brand's name alone tells none of them, so rules and model abstain where nothing else speaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from common.answers import Answer
from common.aso.entities import KEYWORDS
from common.aso.intent import guess_intent
from common.aso.intent_model.classifier import Classifier
from common.aso.intent_model.entities import INTENT_MODELS, model_id_of
from common.aso.intent_model.models import IntentAnswer, IntentAnswers, IntentFilter, IntentModelView, IntentRequest
from common.aso.intent_model.training import answer
from common.aso.models import Keyword
from common.context import Context
from common.errors import Conflict
from common.jobs.entities import JOBS
from common.jobs.models import JobView
from common.jobs.service import start_job
from common.store import Repository, Work, in_chunks, transact

TYPE = "intent_training"
RUN_FUNCTION = "aso-intent-model-train-run"
CHUNK = 100
NOT_TRAINED = IntentModelView(status="not_applied", reason="not_trained")

Applied = tuple[Classifier, float]
"""A classifier and its threshold."""


def start_training(context: Context) -> Answer[JobView]:
    """Begin to learn from the tenant's labelled keywords; answers 202 with the job.

    Raises:
        Conflict: ``training_running``.
    """

    def work(work: Work) -> Answer[JobView]:
        under_way = work.select(JOBS, [("type", "==", TYPE), ("status", "in", ["queued", "running"])], limit=1)
        if under_way:
            details = {"job_id": str(under_way[0].value.job_id)}
            raise Conflict("training_running", "A training is under way; wait for its job.", details=details)
        job = start_job(work, type=TYPE, function=RUN_FUNCTION, unit="keywords")
        return Answer(content=job.view(), status=202, headers={"Location": f"/v1/jobs/{job.job_id}"})

    return transact(context, work)


def view(context: Context) -> IntentModelView:
    """Return the tenant's model with the figures it is judged by."""
    found = Repository(INTENT_MODELS, context).find(model_id_of(context.tenant_id))
    return NOT_TRAINED if found is None else found.value.view()


def classify(context: Context, body: IntentRequest) -> IntentAnswers:
    """Return the intents of keywords, and keep them unless it is a dry run.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    model = _applied(context)
    keywords, missing, following = _asked(context, body)
    told = {keyword.keyword_id: with_intent(keyword, model) for keyword in keywords}
    changed = [each.keyword_id for each in keywords if told[each.keyword_id] != each]
    if not body.dry_run:
        for some in in_chunks(changed, CHUNK):
            _keep(context, some, model)
    return IntentAnswers(
        items=[_answer(told[each.keyword_id], changed=told[each.keyword_id] != each) for each in keywords],
        not_found=missing,
        model="not_applied" if model is None else "applied",
        next_cursor=following,
    )


def with_intent(keyword: Keyword, model: Applied | None) -> Keyword:
    """Return the keyword with the intent it is taken for."""
    if keyword.intent_source == "user":
        return keyword
    if model is not None:
        found, confidence = answer(*model, keyword.keyword)
        if found is not None:
            return _with(keyword, found, round(confidence, 4), "model")
    guess = guess_intent(keyword.keyword)
    return _with(keyword, guess.intent, guess.confidence, None if guess.intent is None else "rule")


def _with(keyword: Keyword, intent: Any, confidence: float | None, source: str | None) -> Keyword:
    return keyword.model_copy(update={"intent": intent, "intent_confidence": confidence, "intent_source": source})


def _applied(context: Context) -> Applied | None:
    found = Repository(INTENT_MODELS, context).find(model_id_of(context.tenant_id))
    if found is None or found.value.status != "applied":
        return None
    model = found.value
    if model.weights is None or model.threshold is None:
        return None
    return Classifier.unpacked(model.weights, model.temperature), model.threshold


def _asked(context: Context, body: IntentRequest) -> tuple[list[Keyword], list[str], str | None]:
    """Return the keywords asked for, the ids of none, and where a filter goes on."""
    repository = Repository(KEYWORDS, context)
    if body.ids is not None:
        ids = list(dict.fromkeys(body.ids))
        found = repository.get_many(ids)
        return (
            [found[keyword_id].value for keyword_id in ids if keyword_id in found],
            [keyword_id for keyword_id in ids if keyword_id not in found],
            None,
        )
    page = repository.page(_filters(body.filter or IntentFilter()), limit=body.limit, cursor=body.cursor)
    return page.items, [], page.next_cursor


def _filters(asked: IntentFilter) -> Sequence[tuple[str, str, object]]:
    wanted: Mapping[str, object] = {
        name: value for name in ("intent", "priority") if (value := getattr(asked, name)) is not None
    }
    return [(name, "==", None if value == "unknown" else value) for name, value in wanted.items()]


def _keep(context: Context, keyword_ids: Sequence[str], model: Applied | None) -> None:
    now = datetime.now(UTC)

    def work(work: Work) -> None:
        for record in work.get_many(KEYWORDS, keyword_ids).values():
            after = with_intent(record.value, model)
            if after != record.value:
                work.update(KEYWORDS, record, after.model_copy(update={"updated_at": now}))

    transact(context, work, answers=False)


def _answer(keyword: Keyword, *, changed: bool) -> IntentAnswer:
    return IntentAnswer(
        keyword_id=keyword.keyword_id,
        keyword=keyword.keyword,
        intent=keyword.intent,
        confidence=keyword.intent_confidence,
        source=keyword.intent_source,
        abstained=keyword.intent is None,
        changed=changed,
    )
