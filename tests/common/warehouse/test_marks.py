"""No row, and no end by time, is left without a mark that is due or a running claim, in any interleaving of steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from common.clients.registry import Clients
from common.warehouse import marks
from common.warehouse.marks import (
    LEASE,
    behind_since,
    claim,
    claimed,
    due,
    finish,
    finished,
    is_pending,
    marked,
    set_marks,
)
from tests.common.warehouse.conftest import context_for

START = datetime(2026, 9, 1, tzinfo=UTC)


class Marks(RuleBasedStateMachine):
    """Each rule is one step of the protocol; between any two, anybody else may take one."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.fields: dict[str, Any] | None = None
        self.rows = 0
        self.unmarked: set[int] = set()  # appended, not acknowledged: delivered again after a crash
        self.looked: dict[int, set[int]] = {}  # writer -> rows appended before it found the mark not pending
        self.workers: dict[int, tuple[datetime, int]] = {}  # worker -> its claim and the rows it has read
        self.merged = 0
        self.next = 0
        self.ending: datetime | None = None  # from when on, as the last finished work stated, there is something to do
        self.behind: datetime | None = None  # how old that is what was taken since work was last finished

    @rule()
    def append(self) -> None:
        self.rows += 1
        self.unmarked.add(self.rows)

    @rule()
    def look(self) -> None:
        rows, self.unmarked = self.unmarked, set()
        if rows and not is_pending(self.fields):
            self.next += 1
            self.looked[self.next] = rows

    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        if self.looked:
            del self.looked[data.draw(st.sampled_from(sorted(self.looked)))]
            self.fields = {**(self.fields or {}), **marked("merge", "demo", "keyword", self.now)}

    @rule()
    def deliver(self) -> None:
        """All steps of a writer in a row, as is usual."""
        self.append()
        rows, self.unmarked = self.unmarked, set()
        if rows and not is_pending(self.fields):
            self.fields = {**(self.fields or {}), **marked("merge", "demo", "keyword", self.now)}

    @rule()
    def take(self) -> None:
        before, taken = self.fields, claimed(self.fields, self.now)
        if before is not None and taken is not None:
            self.behind = self.behind or (before["pending_since"] if before.get("open") else self.ending)
            self.fields = taken
            self.next += 1
            self.workers[self.next] = (self.now, -1)

    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        unread = [worker for worker, (_, seen) in self.workers.items() if seen < 0]
        if unread:
            worker = data.draw(st.sampled_from(unread))
            self.workers[worker] = (self.workers[worker][0], self.rows)

    @rule(data=st.data(), minutes=st.sampled_from([None, 1, 30, 90]))
    def finish(self, data: st.DataObject, minutes: int | None) -> None:
        ready = [worker for worker, (_, seen) in self.workers.items() if seen >= 0]
        if ready:
            self.end(data.draw(st.sampled_from(ready)), minutes)

    def end(self, worker: int, minutes: int | None) -> None:
        since, seen = self.workers.pop(worker)
        self.merged = max(self.merged, seen)
        wake_at = None if minutes is None else self.now + timedelta(minutes=minutes)
        ended = finished(self.fields, since, {}, wake_at)
        if ended is not None:
            self.fields, self.ending, self.behind = ended, wake_at, None

    @rule(minutes=st.sampled_from([None, 1, 30, 90]))
    def work(self, minutes: int | None) -> None:
        """All steps of a worker in a row, as is usual."""
        before = set(self.workers)
        self.take()
        for worker in set(self.workers) - before:
            self.workers[worker] = (self.workers[worker][0], self.rows)
            self.end(worker, minutes)

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        if self.workers:
            del self.workers[data.draw(st.sampled_from(sorted(self.workers)))]

    @rule(data=st.data())
    def writer_crashes(self, data: st.DataObject) -> None:
        """Between looking and writing: nothing was acknowledged, so its rows come again."""
        if self.looked:
            self.unmarked |= self.looked.pop(data.draw(st.sampled_from(sorted(self.looked))))

    @rule(minutes=st.sampled_from([1, 20, 40]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def every_acknowledged_row_is_merged_or_due(self) -> None:
        unfinished = self.unmarked.union(*self.looked.values())
        if any(row > self.merged and row not in unfinished for row in range(1, self.rows + 1)):
            assert self.fields is not None
            assert self.fields["open"], "a row that nobody will merge"
            assert claimed(self.fields, self.now + LEASE) is not None, "a mark that can never be taken"

    @invariant()
    def every_end_by_time_is_seen_or_due(self) -> None:
        if self.ending is not None:
            later = max(self.now + LEASE, self.ending)
            assert claimed(self.fields, later) is not None, "an end that nobody will see"

    @invariant()
    def nothing_is_due_without_reason(self) -> None:
        if self.fields is not None and not self.fields.get("open"):
            due_now = self.ending is not None and self.ending <= self.now
            assert (claimed(self.fields, self.now) is not None) == due_now

    @invariant()
    def what_was_taken_keeps_its_age_until_work_is_finished(self) -> None:
        if self.behind is not None:
            assert self.fields is not None
            assert behind_since(self.fields) == self.behind


TestMarks = Marks.TestCase
TestMarks.settings = hypothesis_settings(max_examples=300, stateful_step_count=40, deadline=None)


def test_a_mark_is_written_on_the_transition_only(clients: Clients) -> None:
    context = context_for(clients, "transitions")
    set_marks(context, "transitions", [("merge", "keyword"), ("scan", "all")])
    [mark] = due(context, "merge")
    set_marks(context, "transitions", [("merge", "keyword")])
    assert due(context, "merge") == [mark], "the second setting wrote nothing"
    assert [found.subject for found in due(context, "scan")] == ["all"]


def test_a_claim_hides_the_work_until_its_lease_is_over(clients: Clients) -> None:
    context = context_for(clients, "leases")
    set_marks(context, "leases", [("purge", "keyword")])
    taken = claim(context, "purge", "leases", "keyword")
    assert taken is not None
    assert claim(context, "purge", "leases", "keyword") is None
    assert due(context, "purge") == []
    again = claim(context, "purge", "leases", "keyword", lease=timedelta(0))
    assert again is not None, "the work crashed and is due again"
    assert not finish(context, "purge", "leases", "keyword", taken.working_since), "its claim has passed on"
    assert finish(context, "purge", "leases", "keyword", again.working_since, {"watermark": again.working_since})
    assert due(context, "purge", lease=timedelta(0)) == []
    assert marks.state_of(context, "purge", "leases", "keyword") == {"watermark": again.working_since}


def test_rows_that_come_during_the_work_make_it_due_again(clients: Clients) -> None:
    context = context_for(clients, "during")
    set_marks(context, "during", [("count", "keyword")])
    taken = claim(context, "count", "during", "keyword")
    assert taken is not None
    set_marks(context, "during", [("count", "keyword")])
    assert due(context, "count") == [], "one at a time"
    finish(context, "count", "during", "keyword", taken.working_since)
    assert len(due(context, "count")) == 1


def test_a_mark_becomes_due_by_itself_when_its_time_comes(clients: Clients) -> None:
    context = context_for(clients, "sleepers")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    set_marks(context, "sleepers", [("wake", "all")])
    taken = claim(context, "wake", "sleepers")
    assert taken is not None
    finish(context, "wake", "sleepers", "all", taken.working_since, wake_at=tomorrow)
    assert due(context, "wake") == []
    assert claim(context, "wake", "sleepers") is None
    [mark] = due(context, "wake", now=tomorrow)
    assert (mark.tenant_id, mark.pending_since) == ("sleepers", tomorrow)
    again = claim(context, "wake", "sleepers", now=tomorrow)
    assert again is not None
    assert due(context, "wake", now=tomorrow) == [], "somebody works on it"
    finish(context, "wake", "sleepers", "all", again.working_since)
    assert due(context, "wake", now=tomorrow + timedelta(days=400)) == [], "a time that has come is used up"


@pytest.mark.parametrize("fields", [None, {"open": False, "pending": False}])
def test_nothing_due_is_not_taken(fields: dict[str, Any] | None) -> None:
    assert claimed(fields, START) is None
