"""Group commit: callers that arrive while a commit is under way share the next one."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from common.errors import Unavailable

Item = TypeVar("Item")
Flush = Callable[[Sequence[Item]], Mapping[int, Exception]]
"""Commits a group. Returns the error of each item that was not committed, by position; an exception it raises is the
error of them all. What it neither reports nor raises is committed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupLimits:
    """How large a group may grow and how long it gathers.

    Attributes:
        items: Items of one commit at most.
        size: Bytes of one commit at most; a single larger item goes alone.
        linger: Seconds a group that could be committed at once waits for company.
    """

    items: int = 500
    size: int = 8_000_000
    linger: float = 0.0


@dataclass(eq=False, slots=True)
class _Ticket(Generic[Item]):
    item: Item
    size: int
    done: bool = False
    error: Exception | None = None


@dataclass(eq=False, slots=True)
class _Line(Generic[Item]):
    """Who waits for one key."""

    waiting: deque[_Ticket[Item]] = field(default_factory=deque)
    committing: bool = False
    size: int = 0


class GroupCommit(Generic[Item]):
    """Commits items in groups, one group per key at a time; thread-safe.

    The first caller to find no commit under way leads: it commits everything that waits, in its own thread and with
    its own ``flush``. Those that arrive meanwhile gather and one of them leads the next group. There is no thread of
    its own, so nothing runs between requests, where Cloud Run may give a process no time at all.

    Args:
        dependency: Where the commits go, for errors.
        limits: How large groups may grow.
    """

    def __init__(self, dependency: str, limits: GroupLimits | None = None) -> None:
        self._dependency = dependency
        self._limits = limits or GroupLimits()
        self._lines: dict[str, _Line[Item]] = {}
        self._changed = threading.Condition()

    def submit(self, key: str, item: Item, size: int, flush: Flush[Item], *, timeout: float) -> None:
        """Return when ``item`` is committed.

        Args:
            key: What is committed together, such as a table.
            item: What to commit.
            size: Its bytes.
            flush: Commits a group if this caller comes to lead; bounds its own time.
            timeout: Seconds to wait for a commit to begin.

        Raises:
            Unavailable: No commit that holds the item began in time; it is not and will not be committed.
            Exception: The error that ``flush`` gave for the item.
        """
        ticket = _Ticket(item, size)
        give_up = time.monotonic() + timeout
        with self._changed:
            line = self._lines.setdefault(key, _Line())
            line.waiting.append(ticket)
            line.size += size
            self._changed.notify_all()
        while not ticket.done:
            group = self._turn(key, line, ticket, give_up)
            if group:
                self._commit(key, line, group, flush)
        if ticket.error is not None:
            raise ticket.error

    def _turn(self, key: str, line: _Line[Item], ticket: _Ticket[Item], give_up: float) -> list[_Ticket[Item]]:
        """Wait until the ticket is done (return nothing) or this caller leads (return the group it must commit)."""
        with self._changed:
            while not ticket.done and line.committing:
                waits = ticket in line.waiting
                left = give_up - time.monotonic()
                if waits and left <= 0:
                    line.waiting.remove(ticket)
                    line.size -= ticket.size
                    self._tidy(key, line)
                    raise Unavailable(self._dependency, "the commit before this one takes too long")
                self._changed.wait(left if waits else None)
            if ticket.done:
                return []
            line.committing = True
            self._gather(line)
            return self._take(line)

    def _gather(self, line: _Line[Item]) -> None:
        until = time.monotonic() + self._limits.linger
        while len(line.waiting) < self._limits.items and line.size < self._limits.size:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _take(self, line: _Line[Item]) -> list[_Ticket[Item]]:
        group: list[_Ticket[Item]] = []
        size = 0
        while line.waiting and len(group) < self._limits.items:
            if group and size + line.waiting[0].size > self._limits.size:
                break
            ticket = line.waiting.popleft()
            size += ticket.size
            group.append(ticket)
        line.size -= size
        return group

    def _commit(self, key: str, line: _Line[Item], group: list[_Ticket[Item]], flush: Flush[Item]) -> None:
        """Commit a group and tell its callers; whatever happens to this thread, the others are let go."""
        broken_off = Unavailable(self._dependency, "the commit was broken off; whether it took effect is not known")
        errors: Mapping[int, Exception] = dict.fromkeys(range(len(group)), broken_off)
        try:
            errors = flush([ticket.item for ticket in group])
        except Exception as error:  # noqa: BLE001 - handed to every caller of the group, which raise it
            errors = dict.fromkeys(range(len(group)), error)
        finally:
            with self._changed:
                for position, ticket in enumerate(group):
                    ticket.error = errors.get(position)
                    ticket.done = True
                line.committing = False
                self._tidy(key, line)
                self._changed.notify_all()

    def _tidy(self, key: str, line: _Line[Item]) -> None:
        if not line.waiting and not line.committing and self._lines.get(key) is line:
            del self._lines[key]
