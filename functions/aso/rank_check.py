"""Check ranks now."""

from common.answers import Answer
from common.aso.tracking import status
from common.aso.tracking.models import CheckAccepted, CheckRequest
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/ranks/check",
    scope="aso:write",
    rate="expensive",
    status=202,
    needs={
        "firestore:read": "Reads the keywords, the settings and what is left of the budget.",
        "tasks:enqueue:aso-rank-fetch": "Has the keywords checked.",
    },
)
def rank_check(body: CheckRequest, context: Context) -> Answer[CheckAccepted]:
    """Check up to 50 keywords as soon as possible, as far as the budget has room (429 `budget_exhausted` for none).

    A keyword that was checked today is not paid for again; one whose check failed today is. What was found shows in the
    keyword's history. `no_provider` and `no_site` (409) say what is missing in deployment or settings.
    """
    return status.check_now(context, body)
