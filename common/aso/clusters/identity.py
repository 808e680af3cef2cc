"""Which of the clusters found now is which of those known before, so that ids survive.

Every keyword belongs to one cluster at most, before and now. The pairs of a known cluster and a group found now that
share members are gone through: the most shared members first, then the greatest Jaccard index, then the oldest cluster.
A pair is the same cluster if neither side was taken before. So

* a cluster that lost, gained or exchanged members keeps its id;
* where a cluster split, the part with most of its members keeps its id, and the others are new;
* where clusters merged, the one that gave most members gives its id, of equals the more alike one, then the oldest;
  the others end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime


def matched(
    groups: Sequence[Sequence[str]], before: Mapping[str, str], made: Mapping[str, datetime]
) -> list[str | None]:
    """Return the id of the known cluster that each group is, or None for a new one.

    Args:
        groups: Keyword ids of each group; no keyword is in two.
        before: Cluster id of each keyword that was in one.
        made: When each known cluster was made; what is not among them is not known any more.
    """
    sizes = Counter(cluster for cluster in before.values() if cluster in made)
    pairs = []
    for number, members in enumerate(groups):
        shared = Counter(cluster for member in members if (cluster := before.get(member)) in made)
        for cluster, count in shared.items():
            if cluster is None:
                continue
            jaccard = count / (len(members) + sizes[cluster] - count)
            pairs.append((-count, -jaccard, made[cluster], cluster, min(members), number))
    names: list[str | None] = [None] * len(groups)
    taken: set[str] = set()
    for *_, cluster, _, number in sorted(pairs):
        if names[number] is None and cluster not in taken:
            names[number] = cluster
            taken.add(cluster)
    return names
