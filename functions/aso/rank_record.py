"""Record rank observations."""

from common.answers import RowResults
from common.aso import ranks
from common.aso.models import RankObservation
from common.aso.rank_models import RankRows
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/ranks",
    scope="aso:write",
    status=207,
    timeout=120,
    needs={"firestore:write": "Stores the observations and brings the ranks of their keywords up to date."},
)
def rank_record(body: RankRows, context: Context) -> RowResults[RankObservation]:
    """Record up to 500 rank observations; every row is judged and answered for itself.

    `ranked` at a position, `not_found` down to a depth and `check_failed` are three different things
    (`invalid_state`). The same check told again changes nothing, told otherwise it is refused
    (`observation_conflict`). Current and best rank come out the same in whatever order observations arrive.
    """
    return ranks.record(context, body.rows, create_missing=body.create_missing)
