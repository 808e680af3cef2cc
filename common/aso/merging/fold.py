"""Two keywords as one: what is left of their numbers and observations, as if there had always been one keyword.

**Numbers** are of a moment: of each the one told last is kept with its source, whichever keyword it was told of; the
numbers observed over a period belong together and are kept together. They are never added: told again, an export of
Search Console would count twice. Of numbers of the same moment the source's name decides, then the value. So the
numbers left do not depend on the order in which keywords are merged, nor on which of them stays.

**Observations** of the same check (moment, device, locale, source) are one: a success is kept over a failure, a rank
over none, a better over a worse. This too is the same in any order.

What people chose (intent, tier, aim, page, device and locale) is the staying keyword's, and the other's only where the
staying one has none. Device and locale say which observations count and are the staying keyword's in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from common.aso.keywords import with_rules
from common.aso.models import Keyword, RankObservation
from common.identifiers import derived_uuid
from common.model import rfc3339

GROUPS: tuple[tuple[str, ...], ...] = (
    ("search_volume",),
    ("difficulty_score",),
    ("allintitle_results",),
    ("observed_impressions", "observed_clicks", "observed_days", "observed_until"),
)
"""Numbers that are kept together."""

CHOSEN = ("target_ranking", "content_id", "cluster_id")
SURENESS = {"user": 3, "model": 2, "rule": 1, None: 0}
UNDATED = datetime.min.replace(tzinfo=UTC)


def folded_keyword(staying: Keyword, going: Keyword) -> Keyword:
    """Return the keyword that stays, with what the other knew; ranks are folded from observations elsewhere."""
    changes: dict[str, Any] = {}
    provenance = dict(staying.provenance)
    for names in GROUPS:
        if _told(going, names) > _told(staying, names):
            for name in names:
                changes[name] = getattr(going, name)
                provenance.pop(name, None)
                if name in going.provenance:
                    provenance[name] = going.provenance[name]
    changes["provenance"] = dict(sorted(provenance.items()))
    changes |= {name: getattr(going, name) for name in CHOSEN if getattr(staying, name) is None}
    if SURENESS[going.intent_source] > SURENESS[staying.intent_source]:
        changes |= {name: getattr(going, name) for name in ("intent", "intent_confidence", "intent_source")}
    if staying.priority_source == "rule" and going.priority_source == "user":
        changes |= {"priority": going.priority, "priority_source": "user"}
    known = {each.competitor for each in staying.competitor_rankings}
    changes["competitor_rankings"] = [
        *staying.competitor_rankings,
        *(each for each in going.competitor_rankings if each.competitor not in known),
    ]
    changes["created_at"] = min(staying.created_at, going.created_at)
    return with_rules(staying.model_copy(update=changes))


def _told(keyword: Keyword, names: Sequence[str]) -> tuple[bool, datetime, str, str, str]:
    """Return when and by whom numbers were told, in the order in which they replace each other."""
    told = [keyword.provenance[name] for name in names if name in keyword.provenance]
    newest = max(((each.as_of, each.source) for each in told), default=(UNDATED, ""))
    values = [getattr(keyword, name) for name in names]
    sources = [(name, rfc3339(each.as_of), each.source) for name in names if (each := keyword.provenance.get(name))]
    return (any(value is not None for value in values), *newest, repr(values), repr(sources))


def observation_under(staying: Keyword, observation: RankObservation) -> RankObservation:
    """Return an observation as one of the staying keyword, under the id it would have had."""
    key = (staying.keyword_id, rfc3339(observation.checked_at), observation.device, observation.locale)
    return observation.model_copy(
        update={
            "observation_id": str(derived_uuid("aso.rank_observation", *key, observation.source)),
            "keyword_id": staying.keyword_id,
            "keyword": staying.keyword,
        }
    )


def folded_observation(one: RankObservation, other: RankObservation) -> RankObservation:
    """Return what is kept of two observations of the same check."""
    return max(one, other, key=_worth)


def _worth(observation: RankObservation) -> tuple[bool, bool, float, str]:
    ranked = observation.position is not None
    told = observation.model_dump_json(exclude={"created_at"})
    return (observation.state != "check_failed", ranked, -(observation.position or 0.0), told)
