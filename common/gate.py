"""The gate against guessing: credentials that fail are counted, by the caller's address and by the key they try.

Guessing a key is hopeless (256 random bits), yet every guess would cost a read of Firestore, and a revoked key in a
forgotten program costs the same every time. So from the ``failures`` a minute on that the settings allow (the rate tier
of that name), failures of an address, or with keys of one prefix from anywhere, are answered with 429
``too_many_failures`` and ask nobody any more.

Nobody can lock a customer out by it. What is closed is the way to Firestore, not the door: an ID token is verified as
ever, and so is a key that this process remembers or that was let in or made within a week (``common.key_use``), from
the same address and with the same prefix. Only a key that nobody has seen for a week waits for the end of the minute,
and only behind an address that somebody guesses from. While Redis is down nothing is counted and nothing is closed.

The address is the ``forwarded_hops``-th of ``X-Forwarded-For`` from its end. Google's front ends append to what the
caller sent, which proves nothing: the load balancer the caller's address and its own, the API gateway's front end the
caller's, and the front end of Cloud Run the gateway's; so the second from the end is the one that Google has seen. A
function called at its own address, which neither front door leaves open to the public, gets one. Of an IPv6 address the
first 64 bits count, which is what one household or machine is given.

A process asks Redis only when a credential has failed, and remembers what is closed: requests that are let in pay for
one look at an empty dictionary.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping

from common import key_use
from common.api_keys import KEY, PREFIX_LENGTH, credentials_cache
from common.clients.registry import Clients
from common.errors import TooManyRequests, Unauthenticated
from common.limits import rate_windows
from common.redis_access import RedisDown, with_redis
from common.settings import Settings

TIER = "failures"
REMEMBERED = 4096
"""Closed addresses and prefixes that a process remembers; beyond that the oldest are asked about again."""


class Gate:
    """What this process knows to be closed, and until when; thread-safe.

    Attributes:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def is_open(self) -> bool:
        """Tell whether nothing at all is closed."""
        return not self._until

    def left(self, subjects: Iterator[str]) -> float:
        """Return the seconds for which one of these is still closed; 0 where none is."""
        with self._lock:
            now = self.clock()
            while self._until and next(iter(self._until.values())) <= now:
                self._until.popitem(last=False)
            return max((self._until.get(subject, now) - now for subject in subjects), default=0.0)

    def close(self, subject: str, seconds: float) -> None:
        """Close for so long."""
        with self._lock:
            self._until[subject] = self.clock() + seconds
            self._until.move_to_end(subject)
            while len(self._until) > REMEMBERED:
                self._until.popitem(last=False)


def gate(settings: Settings) -> Gate:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    del settings  # the limit is asked for where it is counted
    return Gate()


def may_ask(clients: Clients, headers: Mapping[str, str], remote: str, credential: str, digest: str) -> bool:
    """Tell whether Firestore may be asked for a key: always, unless somebody guesses, and then for known keys only.

    Args:
        clients: Clients of outside services.
        headers: Headers of the request.
        remote: Address of the connection.
        credential: The key as presented.
        digest: Its hash.
    """
    memory = clients.get(gate)
    if memory.is_open() or not memory.left(_subjects(clients.settings, headers, remote, credential)):
        return True
    if clients.get(credentials_cache).keys.knows(digest):
        return True
    try:
        return key_use.is_known(clients, digest)
    except RedisDown:
        return True


def failed(
    clients: Clients, headers: Mapping[str, str], remote: str, credential: str, refusal: Unauthenticated
) -> None:
    """Count a credential that failed; a request without any is none.

    The first refusal of a window is audited: one line for each window, however many attempts it had.

    Raises:
        TooManyRequests: ``too_many_failures``.
    """
    if refusal.code == "credential_missing":
        return
    memory = clients.get(gate)
    subjects = list(_subjects(clients.settings, headers, remote, credential))
    if left := memory.left(iter(subjects)):
        raise _refused(left, subjects[0], is_first=False)
    exceeded, is_first = 0.0, False
    for subject in subjects:
        try:
            over, left = _count(clients, subject)
        except RedisDown:
            return
        if over > 0:
            memory.close(subject, left)
            exceeded, is_first = max(exceeded, left), is_first or over == 1
    if exceeded:
        raise _refused(exceeded, subjects[0], is_first=is_first)


def address_of(settings: Settings, forwarded: str | None, remote: str) -> str:
    """Return the caller's address: what the last front end but one of ours has seen, or the connection's.

    Args:
        settings: How many addresses the front ends append.
        forwarded: Value of ``X-Forwarded-For``, if there is one.
        remote: Address of the connection.
    """
    seen = [entry.strip() for entry in forwarded.split(",")] if forwarded else [remote]
    try:
        address = ipaddress.ip_address(seen[-min(settings.forwarded_hops, len(seen))])
    except ValueError:
        return remote
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def _count(clients: Clients, subject: str) -> tuple[int, float]:
    """Return by how many a subject is over the limit, and the seconds until its window ends."""
    windows = clients.get(rate_windows)
    item = windows.limits[TIER]
    # Hashed, because a prefix is the caller's text, and an address somebody's.
    key = item.key_for(TIER, hashlib.sha256(subject.encode()).hexdigest()[:32])
    count, left = with_redis(clients, lambda client: windows.hit(client, key))
    return count - item.amount, left


def _subjects(settings: Settings, headers: Mapping[str, str], remote: str, credential: str) -> Iterator[str]:
    yield address_of(settings, headers.get("X-Forwarded-For"), remote)
    if KEY.fullmatch(credential):
        yield credential[:PREFIX_LENGTH]


def _refused(left: float, address: str, *, is_first: bool) -> TooManyRequests:
    return TooManyRequests(
        "too_many_failures",
        "Too many credentials have failed; one that is valid is still accepted",
        headers={"Retry-After": str(max(1, math.ceil(left)))},
        details={"client_address": address},
        audited=is_first,
    )
