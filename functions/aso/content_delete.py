"""Delete a piece of ASO content."""

from common.aso import deletion
from common.aso.content_models import DeleteQuery, DeletionReport
from common.context import Context
from triggers import http


@http.delete(
    "/v1/aso/content/{content_id}",
    scope="aso:write",
    if_match="optional",
    timeout=300,
    needs={"firestore:write": "Deletes the pieces and clears the links of keywords and opportunities to them."},
)
def content_delete(content_id: str, query: DeleteQuery, context: Context) -> DeletionReport:
    """Delete a piece, with `cascade` a hub and its spokes.

    Without `cascade` a hub with spokes is refused (`has_spokes`, with their number). `dry_run` tells what a deletion
    with `cascade` takes away: spokes, links of keywords and opportunities, traffic. A large hub goes in passes, the hub
    itself last: after a 503 the same call goes on where it stopped.
    """
    return deletion.delete(context, content_id, query)
