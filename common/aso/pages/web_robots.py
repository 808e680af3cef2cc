"""The robots.txt of a site on the web: fetched once, and kept by us as by any other robot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from common import fetch
from common.aso.pages.robots import Robots, Rules, read
from common.context import Context
from common.web_address import web_address

LIMITS = fetch.Limits(max_bytes=2_000_000, seconds=10)


@dataclass(frozen=True, slots=True)
class Served:
    """What a site says to robots.

    Attributes:
        robots: Its robots.txt; None where it has none (then nothing is forbidden), or where it could not be had.
        problem: Why it could not be had; then robots stay away (RFC 9309, 2.3.1.4).
    """

    robots: Robots | None
    problem: str | None = None


def served(context: Context, origin: str) -> Served:
    """Fetch the robots.txt of a site: a 4xx answer means that there is none."""
    try:
        found = fetch.get(context, f"{origin}/robots.txt", limits=LIMITS)
    except (fetch.FetchFailed, fetch.FetchRefused) as error:
        return Served(None, error.code)
    if 200 <= found.status < 300:
        return Served(read(found.body))
    return Served(None) if 400 <= found.status < 500 else Served(None, f"http_{found.status}")


class Manners:
    """Which pages we may fetch; asks every site once.

    Args:
        context: Circumstances.
        ask: Fetches the robots.txt of an origin.
    """

    def __init__(self, context: Context, ask: Callable[[Context, str], Served] = served) -> None:
        self._context = context
        self._ask = ask
        self._known: dict[str, Rules | str | None] = {}
        self._lock = threading.Lock()

    def refusal(self, url: str) -> str | None:
        """Return why a page may not be fetched: ``robots_denied``, ``robots_unreachable``; None: it may.

        Raises:
            FetchRefused: ``invalid_url``.
        """
        address = web_address(url)
        with self._lock:
            if address.origin not in self._known:
                found = self._ask(self._context, address.origin)
                rules = None if found.robots is None else found.robots.rules_for(fetch.AGENT)
                self._known[address.origin] = "robots_unreachable" if found.problem else rules
            rules_or_problem = self._known[address.origin]
        if isinstance(rules_or_problem, str):
            return rules_or_problem
        if rules_or_problem is None or rules_or_problem.verdict(address.target).allowed:
            return None
        return "robots_denied"
