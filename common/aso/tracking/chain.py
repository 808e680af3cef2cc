"""Asking providers for a result page, one after the other, until one answers: bounded in calls, time and money.

Each provider stands behind a circuit breaker that all tenants share, because they share its key. A transient failure is
tried again, twice a look at most; a used-up quota, a refused key or an open breaker leads to the next provider at once.
Another provider begins with the first page: pages of two providers do not make one list of results.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common import fetch
from common.aso.tracking.deployment import Name, ProviderTerms, key_of
from common.aso.tracking.providers.dataforseo import DataForSeo
from common.aso.tracking.providers.google_search import GoogleSearch
from common.aso.tracking.providers.port import Adapter, Failure, ProviderError, Request
from common.aso.tracking.providers.serpapi import SerpApi
from common.aso.tracking.providers.serper import Serper
from common.aso.tracking.serp import PAGE, Serp, SerpPage, SerpQuery
from common.breaker import Breaker
from common.clients.registry import Clients
from common.context import Context, Deadline
from common.errors import Unavailable
from common.fetch import FetchFailed, FetchRefused

ADAPTERS: Mapping[Name, Adapter] = {
    "serpapi": SerpApi(),
    "dataforseo": DataForSeo(),
    "serper": Serper(),
    "google_search": GoogleSearch(),
}
MORE_CALLS = 2
"""Calls of one look and provider on top of one for each page."""

CALL_SECONDS = 20.0
LOOK_SECONDS = 45.0
LARGEST = 8_388_608
UNSENT = frozenset({"host_not_found", "tls_failed"})
"""Failures of a call whose request cannot have arrived."""

PAUSE = 0.2
"""Seconds of the first pause at most; the following one may be twice as long."""


class Down(Exception):
    """A failure that counts for a provider's breaker.

    Attributes:
        error: The failure.
    """

    def __init__(self, error: ProviderError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """Why a provider gave nothing."""

    provider: Name
    kind: Failure
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What came of a look.

    Attributes:
        serp: The results; None if every provider failed.
        provider: Whose they are.
        answers: Its answers, page by page.
        milli: What all calls cost, in thousandths of a minor unit.
        failures: Of the providers before, or of all.
    """

    serp: Serp | None
    provider: Name | None = None
    answers: Sequence[Any] = ()
    milli: int = 0
    failures: tuple[Failed, ...] = ()


def most(terms: Sequence[ProviderTerms], pages: int) -> int:
    """Return what a look can cost at most, in thousandths of a minor unit: every provider asked for everything."""
    return sum(_most(each, pages) for each in terms)


def _most(terms: ProviderTerms, pages: int) -> int:
    called = pages * (1 + MORE_CALLS) if ADAPTERS[terms.name].at_once else pages + MORE_CALLS
    return called * terms.price_per_thousand_minor


def breaker_of(clients: Clients, name: Name) -> Breaker:
    """Return the breaker of a provider."""
    return Breaker(f"serp-{name}", clients, counts=(Down,))


def look(context: Context, terms: Sequence[ProviderTerms], query: SerpQuery, enough: Callable[[Serp], bool]) -> Look:
    """Look a search up with the first provider that answers.

    Args:
        context: Circumstances; its deadline bounds the time as well.
        terms: The providers in order.
        query: What to look up.
        enough: Tells whether further pages can say nothing new.
    """
    deadline = Deadline.after(min(LOOK_SECONDS, context.deadline.remaining))
    failures: list[Failed] = []
    milli = 0
    for each in terms:
        asked = _Asked(context, each, query, deadline)
        try:
            serp = asked.results(enough)
        except ProviderError as error:
            failures.append(Failed(provider=each.name, kind=error.kind, code=error.code))
        else:
            return Look(
                serp=serp,
                provider=each.name,
                answers=asked.answers,
                milli=milli + asked.milli,
                failures=tuple(failures),
            )
        milli += asked.milli
    return Look(serp=None, milli=milli, failures=tuple(failures))


@dataclass(slots=True)
class _Asked:
    """One provider, asked for one search.

    Attributes:
        answers: What it answered so far.
        milli: What that cost.
    """

    context: Context
    terms: ProviderTerms
    query: SerpQuery
    deadline: Deadline
    answers: list[Any] = field(default_factory=list)
    milli: int = 0
    extra: int = MORE_CALLS

    def results(self, enough: Callable[[Serp], bool]) -> Serp:
        """Return the results, page after page.

        Raises:
            ProviderError: It gave none, or not all of them.
        """
        adapter, query = ADAPTERS[self.terms.name], self.query
        key = key_of(self.context.clients.settings, self.terms.name)
        if not key:
            raise ProviderError(self.terms.name, "credential", "key_missing")
        if not adapter.supports(query):
            raise ProviderError(self.terms.name, "rejected", "unsupported")
        serp = Serp()
        for start in range(0, query.depth, query.depth if adapter.at_once else PAGE):
            request = adapter.request(self.terms.address, key, query, start)
            serp = serp.extended(self._page(adapter, request), query.depth)
            if serp.ended or enough(serp):
                break
        return serp

    def _page(self, adapter: Adapter, request: Request) -> SerpPage:
        """Return one page, tried again where that may help."""
        breaker = breaker_of(self.context.clients, self.terms.name)
        while True:
            try:
                with breaker.guard():
                    return self._called(adapter, request)
            except Unavailable as refused:
                raise ProviderError(self.terms.name, "transient", "circuit_open") from refused
            except Down as down:
                if down.error.kind != "transient" or self.extra <= 0 or not self._paused():
                    raise down.error from None
                self.extra -= 1

    def _paused(self) -> bool:
        """Wait a moment before the next attempt; tell whether there is time for one."""
        pause = random.uniform(0, PAUSE * 2 ** (MORE_CALLS - self.extra))  # noqa: S311 no secret
        if pause >= self.deadline.remaining:
            return False
        time.sleep(pause)
        return True

    def _called(self, adapter: Adapter, request: Request) -> SerpPage:
        """Make one call; what it may have cost is counted also where it failed."""
        try:
            page = self._read(adapter, request)
        except ProviderError as error:
            if error.billed:
                self._pay(adapter)
            if error.kind == "rejected":
                raise
            raise Down(error) from error
        self._pay(adapter)
        return page

    def _pay(self, adapter: Adapter) -> None:
        self.milli += (self.query.pages if adapter.at_once else 1) * self.terms.price_per_thousand_minor

    def _read(self, adapter: Adapter, request: Request) -> SerpPage:
        # The deadline itself passed: nothing was sent.
        if self.deadline.remaining <= 0:
            raise ProviderError(self.terms.name, "transient", "no_time")
        fetched = self._sent(request)
        try:
            answer = json.loads(fetched.body)
        except ValueError:
            answer = None
        page = adapter.page(fetched.status, answer)
        self.answers.append(answer)
        return page

    def _sent(self, request: Request) -> fetch.Fetched:
        """Send a request. Errors are told by their code alone: addresses and header fields hold keys."""
        limits = fetch.Limits(max_bytes=LARGEST, seconds=min(CALL_SECONDS, self.deadline.remaining), redirects=0)
        try:
            if request.content is None:
                return fetch.get(self.context, request.url, limits=limits, headers=request.headers)
            return fetch.post(self.context, request.url, request.content, limits=limits, headers=request.headers)
        except FetchRefused as error:
            raise ProviderError(self.terms.name, "credential", error.code) from None
        except FetchFailed as error:
            # A call that was sent and not answered may have to be paid for.
            billed = error.code not in UNSENT
            raise ProviderError(self.terms.name, "transient", error.code, billed=billed) from None
