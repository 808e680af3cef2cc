"""Tell the intents of keywords."""

from common.aso.intent_model import service
from common.aso.intent_model.models import IntentAnswers, IntentRequest
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/keywords/intent",
    scope="aso:write",
    memory=512,
    needs={"firestore:write": "Reads keywords and the model, and keeps the intents."},
)
def keyword_intent(body: IntentRequest, context: Context) -> IntentAnswers:
    """Tell the intent of up to 200 keywords, with its confidence and on whose word, and keep it.

    What the tenant said stands. Else the tenant's own model answers where it is sure enough, else the rules; where
    neither knows, they abstain. `dry_run` changes nothing.
    """
    return service.classify(context, body)
