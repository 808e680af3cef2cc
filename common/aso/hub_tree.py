"""A hub with its spokes, their ranks and their traffic: the hub and spoke query of document 000."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from common.aso.content_models import HubTree, TreeNode, TreeQuery, TreeTotals
from common.aso.entities import CONTENT_PIECES, KEYWORDS
from common.aso.models import ContentPiece
from common.aso.normalize import keyword_id_of
from common.context import Context
from common.errors import Conflict
from common.store import Repository


def read(context: Context, content_id: str, query: TreeQuery) -> HubTree:
    """Return a hub, one page of its spokes and the totals over all of them.

    Raises:
        NotFound: ``content_piece_not_found``.
        Conflict: ``not_a_hub``.
        BadRequest: ``invalid_cursor``.
    """
    pieces = Repository(CONTENT_PIECES, context)
    hub = pieces.get(content_id).value
    if hub.content_type != "hub":
        raise Conflict(
            "not_a_hub", "This piece is a spoke; ask for the tree of its hub.", details={"hub_id": hub.hub_id}
        )
    of_hub = [("hub_id", "==", content_id)]
    page = pieces.page(of_hub, order=("created_at",), limit=query.limit, cursor=query.cursor)
    everyone = page.items
    if query.cursor is not None or page.next_cursor is not None:
        everyone = [record.value for record in pieces.select(of_hub, order=("created_at",))]
    nodes = _nodes(context, [hub, *everyone])
    shown = {piece.content_id for piece in page.items}
    return HubTree(
        hub=nodes[0],
        spokes=[node for node in nodes[1:] if node.content_id in shown],
        totals=_totals(nodes[0], nodes[1:]),
        next_cursor=page.next_cursor,
    )


def _nodes(context: Context, pieces: Sequence[ContentPiece]) -> list[TreeNode]:
    ids = [keyword_id_of(context.tenant_id, piece.keyword_primary) for piece in pieces]
    keywords = Repository(KEYWORDS, context).get_many(ids)
    return [
        TreeNode(
            content_id=piece.content_id,
            title=piece.title,
            status=piece.status,
            url=piece.url,
            keyword_primary=piece.keyword_primary,
            keyword_id=keyword_id,
            keyword_ranking=keywords[keyword_id].value.current_ranking if keyword_id in keywords else None,
            ranking_position=piece.ranking_position,
            monthly_traffic=piece.monthly_traffic,
        )
        for piece, keyword_id in zip(pieces, ids, strict=True)
    ]


def _totals(hub: TreeNode, spokes: Sequence[TreeNode]) -> TreeTotals:
    every = [hub, *spokes]
    ranks = [
        node.ranking_position if node.keyword_ranking is None else node.keyword_ranking
        for node in every
        if node.keyword_ranking is not None or node.ranking_position is not None
    ]
    known = [rank for rank in ranks if rank is not None]
    return TreeTotals(
        spokes=len(spokes),
        spokes_by_status=dict(sorted(Counter(node.status for node in spokes).items())),
        monthly_traffic=sum(node.monthly_traffic or 0 for node in every),
        traffic_unknown=sum(node.monthly_traffic is None for node in every),
        ranked=len(known),
        average_rank=sum(known) / len(known) if known else None,
    )
