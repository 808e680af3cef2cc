"""The links between a hub and its spokes: which are there, which are missing, which spokes nobody links to.

Pages are counted one after the other in a ``Tally``, which is small enough for the checkpoint of a job: what a page
links to is kept as a letter for each spoke.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from common.aso.addresses import page_key
from common.aso.models import ContentPiece
from common.aso.pages.link_models import MAX_SPOKES, LinkAudit, LinkState, SpokeLinks

LETTERS: Mapping[str, LinkState] = {
    "l": "linked",
    "n": "nofollow",
    "m": "missing",
    "u": "unknown",
    "-": "unknown",  # nobody looked yet
}
NOT_GIVEN = "not_given"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadPage:
    """What was read of a page.

    Attributes:
        followed: Pages it links to, by ``page_key``.
        nofollow: Pages it links to only with links that ask not to be followed.
        problem: Why it was not read; None where it was.
    """

    followed: frozenset[str] = frozenset()
    nofollow: frozenset[str] = frozenset()
    problem: str | None = None

    def letter(self, key: str | None) -> str:
        """Return how the page links to another one, as a letter of ``LETTERS``."""
        if self.problem is not None or key is None:
            return "u"
        if key in self.followed:
            return "l"
        return "n" if key in self.nofollow else "m"


def read_page(url: str, links: Iterable[tuple[str, bool]]) -> ReadPage:
    """Return a page from its links.

    Args:
        url: Where it is; relative links are resolved against it.
        links: Each link as written, and whether it asks not to be followed.
    """
    followed, unfollowed = set[str](), set[str]()
    for href, nofollow in links:
        key = _key(url, href)
        if key is not None:
            (unfollowed if nofollow else followed).add(key)
    return ReadPage(followed=frozenset(followed), nofollow=frozenset(unfollowed - followed))


class Tally:
    """The links of a hub as far as its pages were read.

    Attributes:
        hub: The hub.
        covered: The published spokes that are covered, the oldest first.

    Args:
        hub: The hub.
        spokes: All its spokes, the oldest first.
        state: What ``state`` returned for the same spokes; those that came later are not covered.
    """

    def __init__(
        self, hub: ContentPiece, spokes: Sequence[ContentPiece], state: Mapping[str, Any] | None = None
    ) -> None:
        published = [spoke for spoke in spokes if spoke.status == "published" and spoke.url is not None]
        self.hub = hub
        self.covered = published[:MAX_SPOKES]
        self._unpublished = len(spokes) - len(published)
        self._left_out = len(published) - len(self.covered)
        if state is not None:
            known = set(state["spokes"])
            self.covered = [spoke for spoke in published if spoke.content_id in known]
            self._left_out = int(state["left_out"])
        self._hub_key = page_key(hub.url or "")
        self._keys = [page_key(spoke.url or "") for spoke in self.covered]
        self._positions = {key: at for at, key in enumerate(self._keys) if key is not None}
        self._from_hub, self._to_hub = ["-"] * len(self.covered), ["-"] * len(self.covered)
        self._inbound = [0] * len(self.covered)
        self._problems: dict[str, str] = {}
        self._hub_problem: str | None = NOT_GIVEN
        if state is not None:
            self._restore(state)

    def add_hub(self, page: ReadPage) -> None:
        """Count what the hub's page links to."""
        self._hub_problem = page.problem
        self._from_hub = [page.letter(key) for key in self._keys]

    def add_spoke(self, at: int, page: ReadPage) -> None:
        """Count what a spoke's page links to.

        Args:
            at: Position of the spoke among ``covered``.
            page: What was read.
        """
        spoke = self.covered[at]
        self._problems.pop(spoke.content_id, None)
        if page.problem is not None:
            self._problems[spoke.content_id] = page.problem
        self._to_hub[at] = page.letter(self._hub_key)
        for key in page.followed:
            other = self._positions.get(key)
            if other is not None and other != at:
                self._inbound[other] += 1

    def waiting(self) -> list[int]:
        """Return the positions of the spokes whose pages nobody looked at yet."""
        return [at for at, letter in enumerate(self._to_hub) if letter == "-"]

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on later: about 50 bytes a spoke."""
        return {
            "spokes": [spoke.content_id for spoke in self.covered],
            "from_hub": "".join(self._from_hub),
            "to_hub": "".join(self._to_hub),
            "inbound": list(self._inbound),
            "problems": dict(self._problems),
            "hub_problem": self._hub_problem,
            "left_out": self._left_out,
        }

    def audit(self, now: datetime, **about: object) -> LinkAudit:
        """Return the audit.

        Args:
            now: The moment of the audit.
            about: ``source``, ``job_id``, ``created_at``.
        """
        rows = [
            SpokeLinks(
                content_id=spoke.content_id,
                from_hub=LETTERS[self._from_hub[at]],
                to_hub=LETTERS[self._to_hub[at]],
                from_siblings=self._inbound[at],
                problem=self._problems.get(spoke.content_id, NOT_GIVEN if self._to_hub[at] == "-" else None),
            )
            for at, spoke in enumerate(self.covered)
        ]
        return LinkAudit.model_validate(
            {
                "content_id": self.hub.content_id,
                "tenant_id": self.hub.tenant_id,
                **_figures(rows, self._hub_problem),
                "hub_problem": self._hub_problem,
                "unpublished": self._unpublished,
                "left_out": self._left_out,
                "checked_at": now,
                "updated_at": now,
                "created_at": now,
                **about,
            }
        )

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Take over what was counted before; spokes that are gone meanwhile are left out."""
        before = {name: at for at, name in enumerate(state["spokes"])}
        places = [before[spoke.content_id] for spoke in self.covered]
        self._from_hub = [state["from_hub"][at] for at in places]
        self._to_hub = [state["to_hub"][at] for at in places]
        self._inbound = [int(state["inbound"][at]) for at in places]
        self._problems = dict(state["problems"])
        self._hub_problem = state["hub_problem"]


def without_spokes(audit: LinkAudit, gone: Mapping[str, str | None]) -> LinkAudit:
    """Return an audit as it stands without some spokes: its figures cover those that are left."""
    rows = [row for row in audit.spokes if row.content_id not in gone]
    return audit.model_copy(update=_figures(rows, audit.hub_problem))


def _figures(rows: Sequence[SpokeLinks], hub_problem: str | None) -> dict[str, object]:
    states = [state for row in rows for state in (row.from_hub, row.to_hub)]
    linked, nofollow, missing = (states.count(state) for state in ("linked", "nofollow", "missing"))
    known = linked + nofollow + missing
    orphans = [row.content_id for row in rows if row.from_hub != "linked" and not row.from_siblings]
    return {
        "spoke_ids": [row.content_id for row in rows],
        "spokes": list(rows),
        "linked": linked,
        "nofollow": nofollow,
        "missing": missing,
        "unknown": states.count("unknown"),
        "coverage": linked / known if known else None,
        "orphans": orphans if hub_problem is None else [],
    }


def _key(base: str, href: str) -> str | None:
    try:
        return page_key(urljoin(base, href.strip()))
    except ValueError:
        return None
