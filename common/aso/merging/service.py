"""Merge a keyword into another: everything that was known of the one is known of the other, and the one is gone.

It goes in passes, each a transaction that leaves a consistent state: observations first (with each pass the ranks of
the staying keyword follow), then opportunities, then texts and references, the keyword last. The record of the merging
is written with every pass, so its counts are exact, and a merging that was interrupted goes on when it is asked for
again; asked again after its end it answers the same.

There is no undo: observations told of one keyword are the other's now. Search performance in the warehouse keeps the
query that was searched. The spelling that went is not remembered as another name: whoever follows it again, or imports
it again, has a new keyword.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from common.answers import Record
from common.aso import references
from common.aso.clusters.entities import KEYWORD_CLUSTERS
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES, RANK_OBSERVATIONS
from common.aso.merging.entities import KEYWORD_MERGES
from common.aso.merging.fold import folded_keyword, folded_observation, observation_under
from common.aso.merging.models import KeywordMerge, MergeCounts, MergeRequest
from common.aso.models import ContentPiece, Keyword, Opportunity
from common.aso.rank_state import RankState, counts_for, known_of, state_of, with_state
from common.context import Context
from common.entity import Entity
from common.errors import Conflict, FieldError, NotFound, Unprocessable
from common.identifiers import uuid7
from common.store import Repository, Work, transact

OBSERVATIONS = 120
"""Of one pass: each is created anew and deleted with a tombstone, three writes of Firestore's 500."""
OPPORTUNITIES_AT_ONCE = 300
PIECES = 100
MERGED = "keyword_merged"

Pass = Callable[[Work, KeywordMerge], tuple[MergeCounts, bool]]
"""Does a part; returns the counts so far, and whether nothing of the kind is left."""


def merge(context: Context, keyword_id: str, body: MergeRequest) -> KeywordMerge:
    """Merge a keyword into another, or tell what that would change.

    Raises:
        NotFound: ``keyword_not_found``.
        Unprocessable: ``target_not_found``, ``same_keyword``.
        Conflict: ``merge_running``: the keyword is being merged into another one.
        Unavailable: The deadline passed between two passes; asked again, the merging goes on.
    """
    if body.into == keyword_id:
        raise _refused("same_keyword", "a keyword cannot be merged into itself")
    if body.dry_run:
        return _foreseen(context, keyword_id, body.into)
    merging = transact(context, lambda work: _begun(work, keyword_id, body.into), answers=False)
    if merging.status == "done":
        return merging
    for each in (_observations, _opportunities, _pieces):
        complete = False
        while not complete:
            complete = transact(context, functools.partial(_passed, merge_id=merging.merge_id, do=each), answers=False)
    _repoint(context, merging)
    return transact(context, lambda work: _ended(work, merging.merge_id))


def _begun(work: Work, keyword_id: str, into: str) -> KeywordMerge:
    """Return the merging that is under way, or that is done already, or a new one."""
    found = work.find(KEYWORDS, keyword_id)
    known = [record.value for record in work.select(KEYWORD_MERGES, [("keyword_id", "==", keyword_id)])]
    running = next((each for each in known if each.status == "running"), None)
    if running is not None and running.into == into:
        return running
    if running is not None:
        message = f"This keyword is being merged into {running.into_keyword!r}; ask for that again until it is done."
        raise Conflict("merge_running", message, details={"into": running.into})
    if found is None:
        done = [each for each in known if each.into == into]
        if done:
            return max(done, key=lambda each: each.started_at)
        raise NotFound("keyword_not_found", f"There is no keyword {keyword_id[:64]!r}.")
    return work.create(KEYWORD_MERGES, _record(work.context, found.value, _target(work, into)))


def _record(context: Context, going: Keyword, staying: Keyword) -> KeywordMerge:
    return KeywordMerge(
        merge_id=str(uuid7()),
        tenant_id=context.tenant_id,
        keyword_id=going.keyword_id,
        keyword=going.keyword,
        into=staying.keyword_id,
        into_keyword=staying.keyword,
        status="running",
        started_at=datetime.now(UTC),
        started_by=context.principal.id,
    )


def _target(work: Work, into: str) -> Keyword:
    found = work.find(KEYWORDS, into)
    if found is None:
        raise _refused("target_not_found", f"there is no keyword {into!r}")
    return found.value


def _passed(work: Work, merge_id: str, do: Pass) -> bool:
    """Do one pass and write what it changed into the record."""
    record = work.get(KEYWORD_MERGES, merge_id)
    if record.value.status == "done":
        return True  # asked for twice at once, and the other one was faster
    counts, complete = do(work, record.value)
    work.update(KEYWORD_MERGES, record, record.value.model_copy(update={"counts": counts}))
    return complete


def _observations(work: Work, merging: KeywordMerge) -> tuple[MergeCounts, bool]:
    """Take over observations, and the ranks they tell."""
    staying = _staying(work, merging)
    keyword = staying.value
    going = work.select(RANK_OBSERVATIONS, [("keyword_id", "==", merging.keyword_id)], limit=OBSERVATIONS)
    moved = {(under := observation_under(keyword, each.value)).observation_id: under for each in going}
    known = work.get_many(RANK_OBSERVATIONS, moved)
    for record in going:
        work.delete(RANK_OBSERVATIONS, record)
    for name, observation in moved.items():
        if name in known:
            moved[name] = folded_observation(known[name].value, observation)
            work.update(RANK_OBSERVATIONS, known[name], moved[name])
        else:
            work.create(RANK_OBSERVATIONS, observation)
    states = [state_of(each) for each in moved.values() if counts_for(keyword, each)]
    after = with_state(keyword, functools.reduce(RankState.merge, states, known_of(keyword)))
    if after != keyword:
        work.update(KEYWORDS, staying, after.model_copy(update={"updated_at": datetime.now(UTC)}))
    counts = _with(
        merging, observations_moved=len(moved) - len(known), observations_folded=len(going) - len(moved) + len(known)
    )
    return counts, len(going) < OBSERVATIONS


def _opportunities(work: Work, merging: KeywordMerge) -> tuple[MergeCounts, bool]:
    """Take over opportunities; of two of a type that hold, the staying keyword's goes on."""
    staying = _staying(work, merging).value
    now = datetime.now(UTC)
    own = work.select(OPPORTUNITIES, [("subject_id", "==", staying.keyword_id), ("holds", "==", True)])
    held = {record.value.opportunity_type for record in own}
    going = work.select(OPPORTUNITIES, [("keyword_id", "==", merging.keyword_id)], limit=OPPORTUNITIES_AT_ONCE)
    closed = 0
    for record in sorted(going, key=lambda each: (-each.value.episode, each.value.opportunity_id)):
        before = record.value
        about_keyword = before.subject_id == merging.keyword_id
        after = before.model_copy(
            update={
                "keyword_id": staying.keyword_id,
                "keyword": staying.keyword,
                "subject_id": staying.keyword_id if about_keyword else before.subject_id,
                "updated_at": now,
            }
        )
        if about_keyword and before.holds:
            if before.opportunity_type in held:
                after = _over(after, now)
                closed += 1
            held.add(before.opportunity_type)
        work.update(OPPORTUNITIES, record, after)
    counts = _with(merging, opportunities_moved=len(going), opportunities_closed=closed)
    return counts, len(going) < OPPORTUNITIES_AT_ONCE


def _over(opportunity: Opportunity, now: datetime) -> Opportunity:
    changes: dict[str, Any] = {"holds": False}
    if opportunity.status in {"new", "in_progress"}:
        changes |= {"status": "closed", "closed_at": now, "closed_reason": MERGED}
    return opportunity.model_copy(update=changes)


def _pieces(work: Work, merging: KeywordMerge) -> tuple[MergeCounts, bool]:
    """Let content name the keyword that stays."""
    _staying(work, merging)
    found: dict[str, Record[ContentPiece]] = {}
    for filters in _named_in(merging):
        for record in work.select(CONTENT_PIECES, filters, limit=PIECES):
            found[record.value.content_id] = record
    now = datetime.now(UTC)
    some = [found[name] for name in sorted(found)][:PIECES]
    for record in some:
        work.update(CONTENT_PIECES, record, _renamed(record.value, merging).model_copy(update={"updated_at": now}))
    return _with(merging, content_renamed=len(some)), len(found) < PIECES


def _named_in(merging: KeywordMerge) -> Sequence[list[tuple[str, str, object]]]:
    return [[("keyword_primary", "==", merging.keyword)], [("keyword_secondary", "array_contains", merging.keyword)]]


def _renamed(piece: ContentPiece, merging: KeywordMerge) -> ContentPiece:
    names = {merging.keyword: merging.into_keyword}
    primary = names.get(piece.keyword_primary, piece.keyword_primary)
    secondary = dict.fromkeys(names.get(name, name) for name in piece.keyword_secondary)
    return piece.model_copy(update={"keyword_primary": primary, "keyword_secondary": list(secondary)})


def _repoint(context: Context, merging: KeywordMerge) -> None:
    """Point whatever else names the keyword to the one that stays."""
    taken = references.repoint(context, "keyword", {merging.keyword_id: merging.into})
    told = {name: sum(fates.values()) for name, fates in taken.as_dict().items()}

    def work(work: Work) -> None:
        record = work.get(KEYWORD_MERGES, merging.merge_id)
        known = record.value.counts.references
        merged = {name: known.get(name, 0) + told.get(name, 0) for name in sorted({*known, *told})}
        counts = record.value.counts.model_copy(update={"references": merged})
        work.update(KEYWORD_MERGES, record, record.value.model_copy(update={"counts": counts}))

    if told:
        transact(context, work, answers=False)


def _ended(work: Work, merge_id: str) -> KeywordMerge:
    """Give the staying keyword what the other knew, delete the other, and close the record.

    Raises:
        Conflict: ``keyword_changed``: something was told of the going keyword meanwhile; ask again.
    """
    record = work.get(KEYWORD_MERGES, merge_id)
    merging = record.value
    if merging.status == "done":
        return merging
    staying = _staying(work, merging)
    going = work.find(KEYWORDS, merging.keyword_id)
    if _told_of(work, RANK_OBSERVATIONS, merging) or _told_of(work, OPPORTUNITIES, merging):
        raise Conflict("keyword_changed", "Something was told of this keyword meanwhile; ask for the merging again.")
    now = datetime.now(UTC)
    if going is not None:
        after = folded_keyword(staying.value, going.value)
        if after != staying.value:
            work.update(KEYWORDS, staying, after.model_copy(update={"updated_at": now}))
        work.delete(KEYWORDS, going)
        _leave_cluster(work, going.value, staying.value, now)
    done = merging.model_copy(update={"status": "done", "finished_at": now})
    return work.update(KEYWORD_MERGES, record, done)


def _told_of(work: Work, entity: Entity[Any], merging: KeywordMerge) -> bool:
    return bool(work.select(entity, [("keyword_id", "==", merging.keyword_id)], limit=1))


def _leave_cluster(work: Work, going: Keyword, staying: Keyword, now: datetime) -> None:
    """Take the keyword that goes out of its cluster; one without a cluster takes its place there."""
    record = None if going.cluster_id is None else work.find(KEYWORD_CLUSTERS, going.cluster_id)
    if record is None:
        return
    changes: dict[str, Any] = {"updated_at": now}
    if staying.cluster_id is not None:
        changes["members"] = max(0, record.value.members - 1)
    if record.value.label_keyword_id in {going.keyword_id, staying.keyword_id}:
        changes["label"] = staying.keyword_normalized
    work.update(KEYWORD_CLUSTERS, record, record.value.model_copy(update=changes))


def _staying(work: Work, merging: KeywordMerge) -> Record[Keyword]:
    found = work.find(KEYWORDS, merging.into)
    if found is None:
        raise _refused("target_not_found", f"the keyword {merging.into_keyword!r} was deleted meanwhile")
    return found


def _foreseen(context: Context, keyword_id: str, into: str) -> KeywordMerge:
    """Return what a merging would change, by reading and counting alone."""
    keywords = Repository(KEYWORDS, context)
    going, staying = keywords.get(keyword_id).value, keywords.find(into)
    if staying is None:
        raise _refused("target_not_found", f"there is no keyword {into!r}")
    record = _record(context, going, staying.value)
    named = {
        found.value.content_id
        for filters in _named_in(record)
        for found in Repository(CONTENT_PIECES, context).select(filters)
    }
    others = references.foreseen(context, "keyword", [keyword_id], replaced=True).as_dict()
    counts = MergeCounts(
        observations_moved=Repository(RANK_OBSERVATIONS, context).count([("keyword_id", "==", keyword_id)]),
        opportunities_moved=Repository(OPPORTUNITIES, context).count([("keyword_id", "==", keyword_id)]),
        content_renamed=len(named),
        references={name: sum(fates.values()) for name, fates in others.items()},
    )
    return record.model_copy(update={"status": "foreseen", "counts": counts})


def _with(merging: KeywordMerge, **more: int) -> MergeCounts:
    known = merging.counts
    return known.model_copy(update={name: getattr(known, name) + number for name, number in more.items()})


def _refused(code: str, message: str) -> Unprocessable:
    error = FieldError(pointer="/into", code=code, message=message)
    return Unprocessable(code, f"{message[0].upper()}{message[1:]}.", errors=[error])
