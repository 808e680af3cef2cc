"""Deleting content: what hangs on a piece goes with it, lets go of it, or moves to another piece, never half.

A piece, its spokes and the references to them (``common.aso.references``) go in one transaction as long as that is
small enough for one. More than that goes in passes: references first, then spokes, the hub last. Each pass leaves a
consistent state and looks afresh, so a deletion that was interrupted goes on where it stopped when it is asked for
again. What would take longer than a request may is a job of the same passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common.answers import Answer, Record
from common.aso import references
from common.aso.content_models import DeletedPiece, DeleteQuery, DeletionReport
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES
from common.aso.models import ContentPiece
from common.aso.references import Taken
from common.context import Context
from common.errors import Conflict, FieldError, NotFound, Unprocessable
from common.jobs.run import JobRun
from common.jobs.service import start_job
from common.store import Repository, Work, transact

RUN_FUNCTION = "aso-content-delete-run"

WRITES_A_PIECE = 3
"""The piece, its tombstone, its address."""

PIECES = 140
"""Pieces of one pass; their writes stay below those that ``references`` allows itself."""

AT_ONCE = 5000
"""Documents that change in a request; more are changed by a job."""

SHOWN = 200


@dataclass(slots=True)
class _Gone:
    """What one pass, or the look ahead, takes away."""

    pieces: list[ContentPiece] = field(default_factory=list)
    moved: int = 0
    taken: Taken = field(default_factory=Taken)
    done: bool = False

    def add(self, other: _Gone) -> None:
        self.pieces += other.pieces
        self.moved += other.moved
        self.taken.counts += other.taken.counts
        self.done = other.done

    @property
    def documents(self) -> int:
        return len(self.pieces) + self.moved + self.taken.counts.total()


def delete(context: Context, content_id: str, query: DeleteQuery) -> Answer[DeletionReport]:
    """Delete a piece, with ``cascade`` also the spokes of a hub, or tell what that would take away.

    With ``reassign_to`` what refers to the piece refers to that one instead, and the spokes of a hub move there unless
    they are deleted with it.

    Raises:
        NotFound: ``content_piece_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``has_spokes`` without ``cascade`` and ``reassign_to``, with their number.
        Unprocessable: ``reassign_to_not_found``, ``reassign_to_itself``, ``reassign_to_deleted``,
            ``reassign_to_not_hub``, ``reassign_to_archived``.
        Unavailable: The deadline passed between two passes; asked again, the deletion goes on.
    """
    if query.dry_run:
        return Answer(content=_report(content_id, query, _foreseen(context, content_id, query)))
    if _is_large(context, content_id, query):
        return _begun(context, content_id, query)
    gone = _Gone()
    for each in _passes(context, content_id, query):
        gone.add(each)
    return Answer(content=_report(content_id, query, gone))


def run(job: JobRun) -> Mapping[str, Any]:
    """Do the passes of a large deletion; those that were done before a crash are done.

    The figures of a pass whose run crashed before it could say so are not among the result's.
    """
    query = DeleteQuery.model_validate(job.parameters["query"])
    state = job.checkpoint or {"pieces": 0, "moved": 0, "references": {}}
    pieces, moved = int(state["pieces"]), int(state["moved"])
    counts: dict[str, dict[str, int]] = state["references"]
    try:
        for gone in _passes(job.context, job.parameters["content_id"], query):
            pieces, moved = pieces + len(gone.pieces), moved + gone.moved
            counts = _summed(counts, gone.taken.as_dict())
            done = pieces + moved + sum(sum(fates.values()) for fates in counts.values())
            job.progress(done, checkpoint={"pieces": pieces, "moved": moved, "references": counts})
    except NotFound:
        # Gone already: the run before took it away and could not say so any more, or somebody else did.
        pass
    return {"pieces": pieces, "spokes_moved": moved, "references": counts}


def _passes(context: Context, content_id: str, query: DeleteQuery) -> Iterator[_Gone]:
    """Delete pass by pass; yield what each took away, once it is committed."""
    done = False
    while not done:
        gone = transact(context, lambda work: _pass(work, content_id, query), answers=False)
        done = gone.done
        yield gone


def _pass(work: Work, content_id: str, query: DeleteQuery) -> _Gone:
    """Take away as much as fits one transaction."""
    piece = work.get_for_update(CONTENT_PIECES, content_id)
    target = _target(work, piece.value, query)
    spokes = work.select(CONTENT_PIECES, [("hub_id", "==", content_id)], limit=PIECES)
    if spokes and not query.cascade:
        return _moved(work, spokes, _hub(work.context, content_id, target))
    last = len(spokes) < PIECES
    goners = [*spokes, piece] if last else spokes
    replacement = None if target is None else target.content_id
    ids = dict.fromkeys((record.value.content_id for record in goners), replacement)
    taken = references.take(work, "content", ids, beside=WRITES_A_PIECE * len(goners))
    if not taken.complete:
        return _Gone(taken=taken)
    for record in goners:
        work.delete(CONTENT_PIECES, record)
    return _Gone(pieces=[record.value for record in goners], taken=taken, done=last)


def _target(work: Work, piece: ContentPiece, query: DeleteQuery) -> ContentPiece | None:
    """Return the piece that takes the place of the deleted one; reading it here keeps it from going meanwhile."""
    if query.reassign_to is None:
        return None
    found = work.find(CONTENT_PIECES, query.reassign_to)
    if found is None:
        raise _refused("reassign_to_not_found", f"there is no piece {query.reassign_to!r}")
    if query.reassign_to == piece.content_id:
        raise _refused("reassign_to_itself", "what refers to a piece cannot go on doing so when the piece is deleted")
    if query.cascade and found.value.hub_id == piece.content_id:
        raise _refused("reassign_to_deleted", f"{query.reassign_to!r} is a spoke of this hub and deleted with it")
    return found.value


def _hub(context: Context, content_id: str, target: ContentPiece | None) -> ContentPiece:
    """Return the piece that the spokes of a hub move to, if there is one and they may."""
    if target is None:
        raise _has_spokes(Repository(CONTENT_PIECES, context).count([("hub_id", "==", content_id)]))
    if target.content_type != "hub":
        raise _refused("reassign_to_not_hub", f"{target.content_id!r} is a spoke; spokes move to a hub")
    if target.status == "archived":
        raise _refused("reassign_to_archived", f"the hub {target.content_id!r} is archived")
    return target


def _moved(work: Work, spokes: Sequence[Record[ContentPiece]], hub: ContentPiece) -> _Gone:
    changes = {"hub_id": hub.content_id, "updated_at": datetime.now(UTC)}
    for record in spokes:
        work.update(CONTENT_PIECES, record, record.value.model_copy(update=changes))
    return _Gone(moved=len(spokes))


def _is_large(context: Context, content_id: str, query: DeleteQuery) -> bool:
    """Tell whether more changes than a request can do, by counting."""
    of_hub = [("hub_id", "==", content_id)]
    pieces = Repository(CONTENT_PIECES, context)
    pieces.get(content_id)
    spokes = pieces.count(of_hub)
    own = references.foreseen(context, "content", [content_id], replaced=query.reassign_to is not None)
    if spokes + own.counts.total() > AT_ONCE:
        return True
    if not spokes or not query.cascade:
        return False
    ids = [record.value.content_id for record in pieces.select(of_hub)]
    taken = references.foreseen(context, "content", ids, replaced=query.reassign_to is not None)
    return spokes + own.counts.total() + taken.counts.total() > AT_ONCE


def _begun(context: Context, content_id: str, query: DeleteQuery) -> Answer[DeletionReport]:
    """Begin the job of a large deletion, if it is allowed."""

    def work(work: Work) -> Answer[DeletionReport]:
        piece = work.get_for_update(CONTENT_PIECES, content_id)
        target = _target(work, piece.value, query)
        if not query.cascade and work.select(CONTENT_PIECES, [("hub_id", "==", content_id)], limit=1):
            _hub(context, content_id, target)
        parameters = {"content_id": content_id, "query": query.model_dump()}
        job = start_job(work, type="content_deletion", function=RUN_FUNCTION, parameters=parameters, unit="documents")
        report = DeletionReport(
            content_id=content_id, dry_run=False, reassigned_to=query.reassign_to, job_id=str(job.job_id)
        )
        return Answer(content=report, status=202, headers={"Location": f"/v1/jobs/{job.job_id}"})

    return transact(context, work)


def _foreseen(context: Context, content_id: str, query: DeleteQuery) -> _Gone:
    """Return what a deletion would take away, by reading and counting alone; spokes go unless they can move."""
    pieces = Repository(CONTENT_PIECES, context)
    piece = pieces.get(content_id).value
    target = transact(context, lambda work: _target(work, piece, query), answers=False)
    spokes = [record.value for record in pieces.select([("hub_id", "==", content_id)], order=("created_at",))]
    moves = target is not None and not query.cascade
    if moves and spokes:
        _hub(context, content_id, target)
    goners = [piece] if moves else [piece, *spokes]
    ids = [each.content_id for each in goners]
    taken = references.foreseen(context, "content", ids, replaced=target is not None)
    return _Gone(pieces=goners, moved=len(spokes) if moves else 0, taken=taken)


def _report(content_id: str, query: DeleteQuery, gone: _Gone) -> DeletionReport:
    spokes = [piece for piece in gone.pieces if piece.content_id != content_id]
    return DeletionReport(
        content_id=content_id,
        dry_run=query.dry_run,
        pieces=len(gone.pieces),
        spokes=[
            DeletedPiece(
                content_id=piece.content_id, title=piece.title, url=piece.url, monthly_traffic=piece.monthly_traffic
            )
            for piece in sorted(spokes, key=lambda piece: (piece.created_at, piece.content_id))[:SHOWN]
        ],
        spokes_moved=gone.moved,
        reassigned_to=query.reassign_to,
        keywords_unlinked=gone.taken.of(KEYWORDS, "cleared"),
        opportunities_unlinked=gone.taken.of(OPPORTUNITIES, "cleared"),
        references=gone.taken.as_dict(),
        monthly_traffic_lost=sum(piece.monthly_traffic or 0 for piece in gone.pieces),
        monthly_conversions_lost=sum(piece.monthly_conversions or 0 for piece in gone.pieces),
        traffic_unknown=sum(piece.monthly_traffic is None for piece in gone.pieces),
    )


def _summed(one: Mapping[str, Mapping[str, int]], other: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {
        name: {
            fate: one.get(name, {}).get(fate, 0) + other.get(name, {}).get(fate, 0)
            for fate in sorted({*one.get(name, {}), *other.get(name, {})})
        }
        for name in sorted({*one, *other})
    }


def _refused(code: str, message: str) -> Unprocessable:
    error = FieldError(pointer="query:reassign_to", code=code, message=message)
    return Unprocessable(code, f"{message[0].upper()}{message[1:]}.", errors=[error])


def _has_spokes(count: int) -> Conflict:
    return Conflict(
        "has_spokes",
        f"This hub has {count} spoke{'s' if count != 1 else ''}; delete them first, ask with cascade=true, or name the "
        "hub that they move to in reassign_to.",
        details={"spokes": count},
    )
