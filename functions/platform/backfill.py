"""Backfill one entity of a tenant from Firestore into the warehouse."""

from common.answers import Answer
from common.context import Context
from common.warehouse import backfill as backfills
from common.warehouse.backfill import BackfillAnswer, BackfillRequest
from triggers import http


@http.post(
    "/v1/platform/backfills",
    scope="platform:write",
    tenancy="platform",
    rate="expensive",
    needs={"firestore:write": "counts the documents and stores the job"},
)
def backfill(body: BackfillRequest, context: Context) -> Answer[BackfillAnswer]:
    """State how many documents a backfill reads and what that costs; without `dry_run`, also start it (202).

    A backfill may be repeated and may run beside live changes: the later version of a document always wins.
    """
    return backfills.request(context, body)
