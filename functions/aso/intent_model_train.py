"""Learn intents from labelled keywords."""

from common.answers import Answer
from common.aso.intent_model import service
from common.context import Context
from common.jobs.models import JobView
from triggers import http


@http.post(
    "/v1/aso/intent-model/train",
    scope="aso:write",
    rate="expensive",
    status=202,
    needs={"firestore:write": "Begins the job."},
)
def intent_model_train(context: Context) -> Answer[JobView]:
    """Learn from the keywords whose intent the tenant gave; a job does it, for this tenant alone.

    A fifth of them is held out to measure with. The model is applied only if it does not make the answers worse on
    those than the rules alone; `GET /v1/aso/intent-model` tells the figures.
    """
    return service.start_training(context)
