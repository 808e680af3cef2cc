"""Which links between a hub and its spokes are missing, and what setting them is worth.

The hub model wants every published spoke linked from its hub and back. A link gap is a page that one of these links
should lead to and does not: a spoke without a link from its hub (an *orphan* where no other spoke links to it either),
or the hub itself, as far as its spokes do not link back. A link that asks not to be followed does not count; a page
that was not read says nothing.

**What it is worth** is a prior, and labelled as one: nobody knows what one internal link does. A page that gets its
links is expected to rank **one** better for each search it is known to rank for, weighed with the chance to climb that
step (``common.aso.gain_model.scale.linking``). For the hub, the step is taken in the share of its back links that are
missing. Pages without a known rank and demand add nothing; they are counted, not guessed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.aso.gain_model.model import Expected, GainModel, together
from common.aso.gain_model.scale import Search, linking
from common.aso.pages.link_models import LinkAudit, LinkState

NOT_LINKED: tuple[LinkState, ...] = ("missing", "nofollow")


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkGap:
    """What a hub's links lack.

    Attributes:
        unlinked: Spokes the hub does not link to.
        orphans: Of those, the ones no other spoke links to either.
        silent: Spokes that do not link back to the hub.
        back_links_known: Spokes of which it is known whether they link back.
        coverage: Share of the links that are there, of those that are known.
    """

    unlinked: tuple[str, ...]
    orphans: tuple[str, ...]
    silent: tuple[str, ...]
    back_links_known: int
    coverage: float | None

    @property
    def missing(self) -> int:
        """Links to set."""
        return len(self.unlinked) + len(self.silent)


def link_gap_of(audit: LinkAudit) -> LinkGap | None:
    """Return what the links of a hub lack, or None where nothing known is missing."""
    unlinked = tuple(row.content_id for row in audit.spokes if row.from_hub in NOT_LINKED)
    silent = tuple(row.content_id for row in audit.spokes if row.to_hub in NOT_LINKED)
    if not unlinked and not silent:
        return None
    return LinkGap(
        unlinked=unlinked,
        orphans=tuple(name for name in audit.orphans if name in unlinked),
        silent=silent,
        back_links_known=sum(row.to_hub != "unknown" for row in audit.spokes),
        coverage=audit.coverage,
    )


def expected_of(
    gap: LinkGap, hub_id: str, searches: Mapping[str, Sequence[Search]], model: GainModel
) -> Expected | None:
    """Return what setting the missing links is expected to bring; None where no page concerned has a known search.

    Args:
        gap: What is missing.
        hub_id: The hub.
        searches: What each page is found by.
        model: The tenant's.
    """
    parts = [linking(model, searches.get(spoke, ())) for spoke in gap.unlinked]
    if gap.silent:
        hub = linking(model, searches.get(hub_id, ()))
        parts.append(None if hub is None else _share(hub, len(gap.silent) / gap.back_links_known))
    return together(part for part in parts if part is not None)


def _share(expected: Expected, share: float) -> Expected:
    return dataclasses.replace(
        expected,
        change=expected.change * share,
        gain=expected.gain * share,
        low=expected.low * share,
        high=expected.high * share,
    )
