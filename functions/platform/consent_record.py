"""Record that somebody gave or withdrew consent."""

from common.answers import Answer, Record
from common.context import Context
from common.platform.privacy.consents import service
from common.platform.privacy.consents.models import ConsentInput, ConsentRecord
from triggers import http


@http.post(
    "/v1/privacy/consents",
    scope="privacy:write",
    roles=("admin",),
    status=201,
    needs={
        "firestore:write": "Stores the entry and what follows from it.",
        "kms:use": "Makes the keyed digests of the person's identifiers.",
    },
)
def consent_record(body: ConsentInput, context: Context) -> Answer[Record[ConsentRecord]]:
    """Add an entry to the ledger, in any order: the later statement counts, by the time at which it was made.

    A withdrawal puts the address on the suppression list of the purpose, in the same moment.
    """
    return service.record(context, body)
