"""Search for what is left of a person."""

from common.answers import Answer
from common.context import Context
from common.jobs.models import JobView
from common.platform.privacy import residue
from common.platform.privacy.residue import ResidueRequest
from triggers import http


@http.post(
    "/v1/privacy/residue-searches",
    scope="privacy:write",
    roles=("admin",),
    rate="expensive",
    status=202,
    needs={
        "firestore:write": "Begins the job, and keeps whom it is about.",
        "kms:use": "Seals whom it is about.",
    },
)
def privacy_residue_search(body: ResidueRequest, context: Context) -> Answer[JobView]:
    """Look through everything that the tenant has, in every store, for a person's identifiers and their digests.

    A job does it; follow it at `Location`. Its result says where something is left, or that nothing is (`clean`). An
    erasure searches by itself when it is done.
    """
    return residue.request(context, body)
