"""Learn a tenant's intents: read the keywords it labelled, learn, measure, and keep the model with its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.aso.entities import KEYWORDS
from common.aso.intent_model.classifier import Sample
from common.aso.intent_model.entities import INTENT_MODELS, model_id_of
from common.aso.intent_model.models import HeldOut, IntentModel
from common.aso.intent_model.training import Learnt, Measured, is_held_out, learnt
from common.collection import DOCUMENT_NAME, Collection
from common.context import Context
from common.jobs.run import JobRun
from common.store import Work, transact

MOST = 5000
"""Keywords learnt from at most, in the order of their ids, which are hashes: a sample without a preference."""
FIELDS = ("keyword", "intent")


def run(job: JobRun) -> Mapping[str, Any]:
    """Learn from the labelled keywords of the job's tenant; return what the tenant sees of the model."""
    samples = _labelled(job.context)

    def tick() -> None:
        job.progress(0, total=len(samples))

    model = _model(job.context, samples, learnt(samples, tick))
    transact(job.context, lambda work: _keep(work, model), answers=False)
    job.progress(len(samples), total=len(samples))
    return model.view().model_dump(mode="json")


def _labelled(context: Context) -> list[Sample]:
    collection = Collection(KEYWORDS, context)
    query = collection.query([("intent_source", "==", "user")], (DOCUMENT_NAME,)).select(FIELDS).limit(MOST)
    fields = [(snapshot.id, snapshot.to_dict()) for snapshot in collection.run(query)]
    return [
        Sample(keyword_id=keyword_id, text=told["keyword"], intent=told["intent"])
        for keyword_id, told in fields
        if told.get("intent") is not None
    ]


def _model(context: Context, samples: list[Sample], found: Learnt) -> IntentModel:
    applied = found.reason is None
    return IntentModel.model_validate(
        {
            "model_id": model_id_of(context.tenant_id),
            "tenant_id": context.tenant_id,
            "status": "applied" if applied else "not_applied",
            "reason": found.reason,
            "labelled": len(samples),
            "classes": dict(sorted(Counter(sample.intent for sample in samples).items())),
            "held_out": sum(map(is_held_out, samples)),
            "threshold": found.threshold,
            "model": _figures(found.model),
            "rules": _figures(found.rules),
            "together": _figures(found.together),
            "trained_at": datetime.now(UTC),
            "temperature": 1.0 if found.classifier is None else found.classifier.temperature,
            "weights": found.classifier.packed() if applied and found.classifier is not None else None,
        }
    )


def _figures(measured: Measured) -> HeldOut:
    return HeldOut(
        accuracy=measured.accuracy, coverage=measured.coverage, right=measured.right, answered=measured.answered
    )


def _keep(work: Work, model: IntentModel) -> None:
    record = work.find(INTENT_MODELS, model.model_id)
    if record is None:
        work.create(INTENT_MODELS, model)
    else:
        work.update(INTENT_MODELS, record, model)
