"""The entity of models of intent."""

from __future__ import annotations

from common.aso.intent_model.models import IntentModel
from common.entity import Entity
from common.identifiers import derived_uuid

INTENT_MODELS = Entity(
    name="intent_model",
    domain="aso",
    model=IntentModel,
    collection="intent_models",
    key="model_id",
    events={"created": "intent-model-trained", "updated": "intent-model-trained"},
    unindexed=("weights", "classes", "model", "rules", "together"),
)


def model_id_of(tenant_id: str) -> str:
    """Return the id of a tenant's model."""
    return str(derived_uuid("aso.intent_model", tenant_id))
