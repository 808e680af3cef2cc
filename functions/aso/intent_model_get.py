"""Read the model of intent."""

from common.aso.intent_model import service
from common.aso.intent_model.models import IntentModelView
from common.context import Context
from triggers import http


@http.get("/v1/aso/intent-model", scope="aso:read", needs={"firestore:read": "Reads the model."})
def intent_model_get(context: Context) -> IntentModelView:
    """Tell how well the tenant's model of intent does on labelled keywords it never learnt from, and if it is applied.

    Accuracy and coverage stand next to those of the rules on the same keywords.
    """
    return service.view(context)
