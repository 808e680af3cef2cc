"""The model of a tenant's intents as a document, and what the operations on intent take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from common.aso.models import Identifier, Intent, KeywordText, Priority
from common.model import Model, Timestamp

MOST = 200

_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_MOMENT = "2026-01-31T12:00:00.000000Z"
Share = Annotated[float, Field(ge=0, le=1)]


class HeldOut(Model):
    """How well something does on the labelled keywords that were held out."""

    accuracy: Share | None = Field(description="Right answers among the answers; null without any.", examples=[0.91])
    coverage: Share | None = Field(description="Share of the keywords that it answers.", examples=[0.64])
    right: int = Field(description="Right answers.", examples=[41])
    answered: int = Field(examples=[45])


class IntentModelView(Model):
    """What was learnt from a tenant's labelled keywords, with the figures it is judged by."""

    status: Literal["applied", "not_applied"] = Field(examples=["applied"])
    reason: Literal["not_trained", "too_few_labels", "never_sure", "worse_than_rules"] | None = Field(
        default=None,
        description="Why it is not applied: nothing was learnt yet; fewer than 60 labelled keywords, or ten of one "
        "class only; it is at no confidence right often enough; the rules are better on the held-out keywords.",
        examples=[None],
    )
    labelled: int = Field(default=0, description="Keywords whose intent the tenant gave.", examples=[350])
    classes: dict[str, int] = Field(default_factory=dict, description="Of these, by intent.", examples=[{}])
    held_out: int = Field(default=0, description="Of these, kept for measuring and never learnt from.", examples=[70])
    threshold: Share | None = Field(
        default=None, description="Confidence below which the model abstains.", examples=[0.62]
    )
    model: HeldOut | None = Field(default=None, description="The model alone.")
    rules: HeldOut | None = Field(default=None, description="The rules alone.")
    together: HeldOut | None = Field(default=None, description="The model where it is sure, else the rules.")
    trained_at: Timestamp | None = Field(default=None, examples=[_MOMENT])


class IntentModel(IntentModelView):
    """The model as it is stored.

    Attributes:
        model_id: Derived from the tenant: there is one a tenant.
        tenant_id: Whose keywords it was learnt from; used for nobody else.
        temperature: Of its confidences.
        weights: Packed weights; None where nothing was learnt.
    """

    model_id: str
    tenant_id: str
    temperature: float = 1.0
    weights: str | None = None

    def view(self) -> IntentModelView:
        """Return what the tenant sees."""
        return IntentModelView(**{name: getattr(self, name) for name in IntentModelView.model_fields})


class IntentFilter(Model):
    """Which keywords, newest first."""

    intent: Intent | Literal["unknown"] | None = Field(
        default=None, description="``unknown``: those of which nothing is known yet.", examples=["unknown"]
    )
    priority: Priority | None = Field(default=None, examples=["tier1"])


class IntentRequest(Model):
    """Keywords by id, or by filter; one of the two."""

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST)] | None = Field(
        default=None, description="Ids of keywords.", examples=[None]
    )
    filter: IntentFilter | None = Field(default=None, examples=[{"intent": "unknown"}])
    limit: int = Field(default=50, ge=1, le=MOST, description="Keywords of one answer to a filter.", examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the answer before.")
    dry_run: bool = Field(default=False, description="Tell, and change nothing.", examples=[True])

    @model_validator(mode="after")
    def _is_one_of_two(self) -> IntentRequest:
        if (self.ids is None) == (self.filter is None):
            raise PydanticCustomError("ids_or_filter", "give either ids or a filter")
        if self.ids is not None and self.cursor is not None:
            raise PydanticCustomError("ids_or_filter", "a cursor belongs to a filter")
        return self


class IntentAnswer(Model):
    """What a keyword's intent is taken for, and on whose word."""

    keyword_id: str = Field(examples=[_ID])
    keyword: KeywordText = Field(examples=["qr code scanner"])
    intent: Intent | None = Field(description="Null: everybody abstains.", examples=["transactional"])
    confidence: Share | None = Field(
        description="1 where the tenant said so; the model's is calibrated; the rules' are stated judgements.",
        examples=[0.85],
    )
    source: Literal["user", "rule", "model"] | None = Field(examples=["rule"])
    abstained: bool = Field(description="Whether neither the tenant, nor model, nor rules say anything.")
    changed: bool = Field(description="Whether the keyword had another intent, confidence or source before.")


class IntentAnswers(Model):
    """The intents of some keywords."""

    items: list[IntentAnswer]
    not_found: list[str] = Field(description="Ids that no keyword has.", examples=[[]])
    model: Literal["applied", "not_applied"] = Field(description="Whether a model was asked.", examples=["applied"])
    next_cursor: str | None = Field(default=None, description="Where a filter goes on; null at the end.")
