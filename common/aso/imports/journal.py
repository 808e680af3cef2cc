"""The journal of an import: what each of its transactions changed, so that it can be taken back.

A journal document is written in the very transaction whose changes it holds (``common.aso.changes``): there is no
moment in which a change exists without its entry, or the other way round, whenever a run crashes. A file beside the
database could not promise that. A repeated chunk changes nothing and so writes nothing. It costs one more write for a
hundred rows. Ids are ordered by time; the newest is undone first.

An entry holds the changed fields of a keyword before and after, as JSON, without what is folded from observations, and
the observations that were made or replaced.
"""

from __future__ import annotations

import functools
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import firestore

from common.aso.changes import KeywordChange, ObservationChange, Watch
from common.aso.models import Keyword, RankObservation
from common.clients.firestore import firestore_client
from common.context import Context
from common.identifiers import uuid7
from common.store import Work
from common.technical import IMPORT_CHANGES, selected

REMEMBERED = timedelta(days=400)
"""How long an import can be undone."""

RANK_FIELDS = frozenset(
    {
        *("serp_history", "current_ranking", "average_position", "best_ranking"),
        *("last_checked", "last_failed_check"),
    }
)
"""Fields of a keyword that are folded from its observations."""

PERIOD = ("observed_impressions", "observed_clicks", "observed_days", "observed_until")
GROUPS: tuple[tuple[str, ...], ...] = (
    PERIOD,
    ("search_volume",),
    ("difficulty_score",),
    ("allintitle_results",),
    ("competitor_rankings",),
    ("intent", "intent_source", "intent_confidence"),
    ("priority", "priority_source"),
)
"""Fields that are told, and taken back, together; what an import can tell is in one of these."""

PROVENANCE = "provenance"
PAGE = 50
Fields = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What one transaction changed about one keyword.

    Attributes:
        keyword_id: Id.
        before: Changed fields as they were; None for a new keyword.
        after: Changed fields as written; of a new keyword all.
        born: Fingerprint of the ranks that a new keyword had before the import told any.
    """

    keyword_id: str
    before: Fields | None
    after: Fields
    born: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """An observation that was made (``before`` is None) or replaced."""

    observation_id: str
    before: Fields | None
    after: Fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What one transaction changed.

    Attributes:
        entries: Of keywords.
        observed: Of observations.
        undone: What its undo did, if it has been undone.
    """

    entries: tuple[Entry, ...]
    observed: tuple[Observed, ...]
    undone: dict[str, int] | None


def watching(import_id: str) -> Watch:
    """Return what writes the changes of a transaction into an import's journal."""
    return functools.partial(_noted, import_id)


def flat(keyword: Keyword) -> Fields:
    """Return the fields of a keyword as JSON values, provenance by number, without ranks."""
    fields = keyword.model_dump(mode="json", exclude={*RANK_FIELDS, PROVENANCE})
    for name, provenance in keyword.provenance.items():
        fields[f"{PROVENANCE}.{name}"] = provenance.model_dump(mode="json")
    return fields


def unflat(fields: Fields, ranks: Keyword) -> Keyword:
    """Return the keyword of such fields, with the ranks of another."""
    plain = {name: value for name, value in fields.items() if not name.startswith(f"{PROVENANCE}.")}
    told = {
        name.removeprefix(f"{PROVENANCE}."): value
        for name, value in sorted(fields.items())
        if name.startswith(f"{PROVENANCE}.") and value is not None
    }
    own = ranks.model_dump(mode="json", include=set(RANK_FIELDS))
    return Keyword.model_validate({**plain, **own, PROVENANCE: told})


def names_of(group: Sequence[str]) -> list[str]:
    """Return the names of a group in flat fields: the values and their provenance."""
    return [*group, *(f"{PROVENANCE}.{name}" for name in group)]


def ranks_of(keyword: Keyword) -> str:
    """Return a fingerprint of what a keyword carries of its observations."""
    return hashlib.sha256(keyword.model_dump_json(include=set(RANK_FIELDS)).encode()).hexdigest()[:24]


def opened(fields: Fields) -> Changes:
    """Return the content of a journal document."""
    content = json.loads(zlib.decompress(fields["changes"]))
    return Changes(
        entries=tuple(Entry(**entry) for entry in content["entries"]),
        observed=tuple(Observed(**observed) for observed in content["observed"]),
        undone=fields.get("undone"),
    )


def newest_first(context: Context, import_id: str, after: str | None) -> Iterator[str]:
    """Return the ids of an import's journal documents, the newest first.

    Args:
        context: Tenant and clients.
        import_id: Which import.
        after: Id of the last one done; None from the beginning.
    """
    query = _of(context, import_id).select(["entry_id"]).order_by("entry_id", direction=firestore.Query.DESCENDING)
    while True:
        page = query if after is None else query.start_after({"entry_id": after})
        found = [snapshot.id for snapshot in selected(context, page.limit(PAGE))]
        yield from found
        if len(found) < PAGE:
            return
        after = found[-1]


def path_of(entry_id: str) -> str:
    """Return the path of a journal document."""
    return f"{IMPORT_CHANGES.path}/{entry_id}"


def outcomes(context: Context, import_id: str) -> dict[str, int]:
    """Return what the undo of an import did in all, as its journal documents tell: exact, however often it crashed."""
    sums: dict[str, int] = {}
    for snapshot in selected(context, _of(context, import_id).select(["undone"])):
        for name, number in (snapshot.get("undone") or {}).items():
            sums[name] = sums.get(name, 0) + number
    return sums


def _of(context: Context, import_id: str) -> firestore.Query:
    collection = context.clients.get(firestore_client).collection(IMPORT_CHANGES.path)
    mine = collection.where(filter=firestore.FieldFilter("tenant_id", "==", context.tenant_id))
    return mine.where(filter=firestore.FieldFilter("import_id", "==", import_id))


def _noted(
    import_id: str, work: Work, keywords: Sequence[KeywordChange], observations: Sequence[ObservationChange]
) -> None:
    content = {
        "entries": [_entry(change) for change in keywords],
        "observed": [_observed(change) for change in observations],
    }
    fields: Fields = {
        "tenant_id": work.context.tenant_id,
        "import_id": import_id,
        "entry_id": str(uuid7()),
        "changes": zlib.compress(json.dumps(content, separators=(",", ":")).encode()),
        "undone": None,
        "expires_at": datetime.now(UTC) + REMEMBERED,
    }
    path = path_of(fields["entry_id"])
    work.write(path, setting(work.context, path, fields))


def setting(context: Context, path: str, fields: Fields) -> Callable[[Any], None]:
    """Return the write that stores a technical document."""
    reference = context.clients.get(firestore_client).document(path)
    return lambda batch: batch.set(reference, fields)


def _entry(change: KeywordChange) -> Fields:
    after = flat(change.after)
    if change.before is None:
        born = ranks_of(change.born or change.after)
        return {"keyword_id": change.after.keyword_id, "before": None, "after": after, "born": born}
    before = flat(change.before)
    changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    whole = [names for names in map(names_of, GROUPS) if not changed.isdisjoint(names)]
    names = sorted(changed.union(*whole))
    return {
        "keyword_id": change.after.keyword_id,
        "before": {name: before.get(name) for name in names},
        "after": {name: after.get(name) for name in names},
    }


def _observed(change: ObservationChange) -> Fields:
    return {
        "observation_id": change.after.observation_id,
        "before": None if change.before is None else _json(change.before),
        "after": _json(change.after),
    }


def _json(observation: RankObservation) -> Fields:
    return observation.model_dump(mode="json")
