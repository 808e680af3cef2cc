"""Take back what an import did: transaction by transaction, the newest first, each exactly once.

After an import and its undo with nothing in between, keywords and ranks read as before: keywords it made are deleted,
changed fields get their earlier values, its observations are deleted and ranks folded from what is left.

What somebody else changed since is kept and counted: a field is restored only where it still has the value (and, for
numbers, the source and time) that the import gave it. What an undo has to leave behind is remembered
(``common.aso.imports.remains``), so that imports may be undone in any order. What an import found as it would have told
it is not its change: undoing it takes nothing of that away, and undoing the one that told it first does.

Each journal document is undone in one transaction that also notes in it what was done. Repeating it does nothing, so a
crash, a second delivery and two undos at once are harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from common.answers import Record
from common.aso.entities import KEYWORDS, RANK_OBSERVATIONS
from common.aso.imports.journal import (
    GROUPS,
    Changes,
    Entry,
    Fields,
    Observed,
    flat,
    names_of,
    opened,
    path_of,
    ranks_of,
    setting,
    unflat,
)
from common.aso.imports.remains import Remains, remains_of
from common.aso.keywords import IN, REFOLDED, new_keyword, with_rules
from common.aso.models import Keyword, RankObservation
from common.aso.rank_state import counts_for, folded, with_state
from common.store import Work, in_chunks
from common.technical import read_many

OF_ITS_OWN = frozenset(
    {
        *("keyword_id", "tenant_id", "keyword", "keyword_normalized", "created_at", "updated_at"),
        *("kgr_score", "kgr_class", "cluster_id"),
    }
)
"""Fields that a keyword has, or gets from the platform, without anybody saying anything about it."""
RULED = {"intent_source": GROUPS[-2], "priority_source": GROUPS[-1]}
"""Fields that people or the platform set, by the field that tells who."""


@dataclass(slots=True)
class _Undoing:
    """One journal document being undone.

    Attributes:
        work: The transaction.
        keywords: Keywords of the document that exist, by id.
        gone: Observations that this transaction takes away or replaces.
        back: Observations that it brings back.
        counts: What was done so far.
    """

    work: Work
    keywords: Mapping[str, Record[Keyword]]
    gone: set[str] = field(default_factory=set)
    back: list[RankObservation] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1


def undo(work: Work, entry_id: str) -> dict[str, int]:
    """Undo one journal document, unless that has been done; return what was done by it.

    Args:
        work: The transaction.
        entry_id: Id of the document.
    """
    path = path_of(entry_id)
    fields = read_many(work.context, [path], work.transaction)[path]
    changes = opened(fields)
    if changes.undone is not None:
        return dict(changes.undone)
    observations = work.get_many(RANK_OBSERVATIONS, [each.observation_id for each in changes.observed])
    observed = [found.value.keyword_id for found in observations.values()]
    keywords = work.get_many(KEYWORDS, [*(entry.keyword_id for entry in changes.entries), *observed])
    undoing = _Undoing(work, keywords)
    for each in changes.observed:
        _undo_observation(undoing, each, observations.get(each.observation_id))
    _undo_keywords(undoing, changes)
    work.write(path, setting(work.context, path, {**fields, "undone": undoing.counts}))
    return undoing.counts


def _undo_observation(undoing: _Undoing, observed: Observed, record: Record[RankObservation] | None) -> None:
    """Delete an observation, or bring back the failed check that it replaced, unless it is another one by now."""
    if record is None:
        return
    told = record.value.model_dump(mode="json")
    if any(told.get(name) != value for name, value in observed.after.items()):
        undoing.count("kept_changed")
        return
    undoing.gone.add(observed.observation_id)
    if observed.before is None:
        undoing.work.delete(RANK_OBSERVATIONS, record)
        undoing.count("observations_deleted")
    else:
        before = RankObservation.model_validate(observed.before)
        undoing.work.update(RANK_OBSERVATIONS, record, before)
        undoing.back.append(before)
        undoing.count("observations_restored")


def _undo_keywords(undoing: _Undoing, changes: Changes) -> None:
    """Restore the keywords of a document, with their ranks folded from the observations that are left."""
    entries = {entry.keyword_id: entry for entry in changes.entries}
    refolded = _refolded(undoing) if changes.observed else {}
    remains = remains_of(undoing.work, undoing.keywords.values())
    for keyword_id, record in undoing.keywords.items():
        entry, left = entries.get(keyword_id), remains[keyword_id]
        current = refolded.get(keyword_id, record.value)
        after, kept = (current, False) if entry is None else _restored(current, entry, left)
        if _is_nobodys(after, left):
            # What is remembered of it says of which keyword it is, and so cannot be taken for a later one's.
            undoing.work.delete(KEYWORDS, record)
            undoing.count("keywords_deleted")
            continue
        left.save(undoing.work)
        if kept:
            undoing.count("kept_changed")
        if after.model_dump(mode="json") == record.value.model_dump(mode="json"):
            continue
        if entry is not None and entry.after.keys() - {"updated_at"}:
            undoing.count("keywords_restored")
        if after.updated_at == record.value.updated_at:
            after = after.model_copy(update={"updated_at": datetime.now(UTC)})
        undoing.work.update(KEYWORDS, record, after)


def _restored(current: Keyword, entry: Entry, left: Remains) -> tuple[Keyword, bool]:
    """Return a keyword with an import's changes taken back, and whether something had to be kept."""
    told = flat(current)
    if entry.before is None:
        if told["created_at"] != entry.after["created_at"]:
            return current, True
        left.was_made(entry.born or "")
        before = flat(_blank(current))
    elif not left.any and all(told.get(name) == value for name, value in entry.after.items()):
        return unflat({**told, **entry.before}, current), False
    else:
        before = entry.before
    kept = False
    for group in GROUPS:
        names = names_of(group)
        ours, earlier = _picked(entry.after, names), _picked(before, names)
        if ours == earlier or (entry.before is not None and group[0] not in entry.after):
            continue
        if _picked(told, names) == ours:
            told |= left.followed(group[0], earlier)
        elif not (_is_ruled(ours) and _is_ruled(earlier)):  # what rules set, they set again
            left.keep(group[0], ours, earlier)
            kept = True
    restored = with_rules(unflat(told, current))
    made_and_kept = entry.before is None and not _is_nobodys(restored, left)
    return restored, kept or made_and_kept


def _picked(fields: Fields, names: Sequence[str]) -> Fields:
    return {name: fields.get(name) for name in names}


def _is_ruled(values: Fields) -> bool:
    """Return whether the platform set the fields of a group (intent, priority), not people."""
    sources = [value for name, value in values.items() if name in RULED]
    return bool(sources) and sources[0] != "user"


def _blank(keyword: Keyword) -> Keyword:
    """Return the keyword as if nobody had said anything about it."""
    return new_keyword(keyword.tenant_id, keyword.keyword, keyword.created_at)


def _is_nobodys(keyword: Keyword, left: Remains) -> bool:
    """Return whether a keyword that an import made is again as it was made: nobody's numbers, words or ranks."""
    if left.born is None or ranks_of(keyword) != left.born:
        return False
    told, blank = flat(keyword), flat(_blank(keyword))
    ruled = {name for source, group in RULED.items() if told.get(source) != "user" for name in group}
    return all(told.get(name) == blank.get(name) for name in {**told, **blank}.keys() - OF_ITS_OWN - ruled)


def _refolded(undoing: _Undoing) -> dict[str, Keyword]:
    """Return the keywords with ranks folded from all observations that are left, however many."""
    found: dict[str, Keyword] = {}
    for keywords in in_chunks([record.value for record in undoing.keywords.values()], IN):
        together = _observations(undoing.work, [keyword.keyword_id for keyword in keywords], REFOLDED)
        for keyword in keywords:
            whole = len(together) < REFOLDED
            own = together if whole else _observations(undoing.work, [keyword.keyword_id], None)
            left = [each for each in own if each.observation_id not in undoing.gone]
            found[keyword.keyword_id] = with_state(keyword, folded(_counting(keyword, [*left, *undoing.back])))
    return found


def _counting(keyword: Keyword, observations: Iterable[RankObservation]) -> Iterable[RankObservation]:
    return (each for each in observations if each.keyword_id == keyword.keyword_id and counts_for(keyword, each))


def _observations(work: Work, keyword_ids: Sequence[str], limit: int | None) -> list[RankObservation]:
    records = work.select(RANK_OBSERVATIONS, [("keyword_id", "in", list(keyword_ids))], order=("-date",), limit=limit)
    return [record.value for record in records]
