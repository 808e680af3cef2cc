"""Read a hub with its spokes."""

from common.aso import hub_tree as tree
from common.aso.content_models import HubTree, TreeQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/hubs/{content_id}/tree",
    scope="aso:read",
    needs={"firestore:read": "Reads the hub, its spokes and the keywords they target."},
)
def hub_tree(content_id: str, query: TreeQuery, context: Context) -> HubTree:
    """Read a hub with its spokes, their ranks and their traffic, oldest spoke first.

    The totals cover all spokes, whatever page of them is asked for. A spoke has no tree (`not_a_hub`).
    """
    return tree.read(context, content_id, query)
