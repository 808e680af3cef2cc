"""Security events: a refusal that asks for it is recorded once, whoever it belongs to, and never changes the answer."""

from __future__ import annotations

import dataclasses
import io
import json
import uuid
from typing import Any

import pytest

from common import security_events
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context, Principal
from common.errors import Conflict
from common.model import Model
from common.security.entities import SECURITY_EVENTS
from common.security.models import SecurityEvent
from common.store import Repository
from tests.common.faults import faulty
from tests.common.things import context_of
from triggers.declaration import Http
from triggers.exchange import Exchange
from triggers.http_pipeline import HttpPipeline

OPERATOR = Principal(kind="operator", id="operator-1", role="operator")


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:10]}", function="test")


def recorded(context: Context, tenant_id: str | None = None) -> list[SecurityEvent]:
    own = dataclasses.replace(context, tenant_id=tenant_id or context.tenant_id)
    return [record.value for record in Repository(SECURITY_EVENTS, own).select()]


class Answer(Model):
    """An answer."""

    done: bool = True


def leave(thing_id: str, context: Context) -> Answer:
    """Refuse, as a rule does."""
    del context
    raise Conflict("last_thing", f"{thing_id} is the last one.", audited=thing_id != "quiet")


def refused(context: Context, monkeypatch: pytest.MonkeyPatch, declaration: Http, thing_id: str) -> Any:
    pipeline = HttpPipeline(leave, "tests-leave", declaration)
    monkeypatch.setattr(pipeline, "_admit", lambda exchange: (context.principal, context.tenant_id))
    environ: dict[str, Any] = {
        "REQUEST_METHOD": declaration.method,
        "PATH_INFO": f"/v1/things/{thing_id}",
        "QUERY_STRING": "",
        "wsgi.input": io.BytesIO(),
        "HTTP_X_REQUEST_ID": "r-1",
    }
    exchange = Exchange(environ, context.clients)
    monkeypatch.setattr(pipeline, "_count", None)
    answer = pipeline.answer(exchange)
    assert answer.status == 409
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["code"] == "last_thing"
    return answer


WRITES = Http(method="DELETE", path="/v1/things/{thing_id}", scope="x:write", needs={"firestore:write": "Writes."})
READS = Http(method="GET", path="/v1/things/{thing_id}", scope="x:read", needs={"firestore:read": "Reads."})


def test_a_refusal_that_asks_for_it_is_recorded_with_who_and_what(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(context, monkeypatch, WRITES, "thing-1")
    refused(context, monkeypatch, WRITES, "quiet")
    [event] = recorded(context)
    assert (event.code, event.outcome, event.status, event.function) == ("last_thing", "refused", 409, "tests-leave")
    assert (event.subjects, event.subject_ids) == (["thing_id"], ["thing-1"])
    assert (event.actor_kind, event.actor_id) == (context.principal.kind, context.principal.id)
    assert event.request_id == "r-1"


def test_where_the_function_may_not_write_the_log_says_it(
    context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(context, monkeypatch, READS, "thing-1")
    assert recorded(context) == []
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"audit":true' in line]
    assert [(line["code"], line["outcome"], line["tenant_id"]) for line in lines] == [
        ("last_thing", "refused", context.tenant_id)
    ]


def test_what_operators_are_refused_belongs_to_the_tenant_in_the_path(context: Context) -> None:
    platform = dataclasses.replace(context, tenant_id=PLATFORM_TENANT, principal=OPERATOR)
    refusal = Conflict("quota_below_usage", "Too low.", audited=True)
    security_events.record_refusal(platform, refusal, {"tenant_id": context.tenant_id}, stored=True)
    [event] = recorded(context)
    assert (event.code, event.actor_kind) == ("quota_below_usage", "operator")


def test_a_refusal_may_name_the_tenant_that_it_concerns(context: Context) -> None:
    person = Principal(kind="user", id="u1")
    outside = dataclasses.replace(context, tenant_id=PLATFORM_TENANT, principal=person)
    security_events.record_refusal(
        outside, Conflict("invite_used", "Used.", audited=context.tenant_id), {}, stored=True
    )
    assert [event.code for event in recorded(context)] == ["invite_used"]


def test_who_belongs_to_no_tenant_is_told_of_in_the_log_only(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = dataclasses.replace(context, tenant_id=PLATFORM_TENANT, principal=Principal(kind="user", id="u1"))
    before = len(recorded(context, PLATFORM_TENANT))
    security_events.record(outside, "guessed", outcome="refused")
    assert len(recorded(context, PLATFORM_TENANT)) == before
    assert '"audit":true' in capsys.readouterr().out
    operator = dataclasses.replace(outside, principal=OPERATOR)
    security_events.record(operator, "looked", outcome="done")
    assert len(recorded(context, PLATFORM_TENANT)) == before + 1, "operators' own matters have a trail, too"


def test_a_store_that_is_away_does_not_change_the_answer(
    context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, transport = faulty(context.clients)
    transport.unreachable = True
    refused(dataclasses.replace(context, clients=own), monkeypatch, WRITES, "thing-1")
    assert '"audit":true' in capsys.readouterr().out, "nothing is lost"


def test_the_same_reading_is_recorded_once_for_all_processes(context: Context) -> None:
    for _ in range(2):
        security_events.record_once(context, "audit_read", details={"entity": "keyword"})
    context.clients.replace(security_events.recently_recorded, security_events.Recorded())  # another process
    security_events.record_once(context, "audit_read", details={"entity": "keyword"})
    security_events.record_once(context, "audit_read", details={"entity": "content_piece"})
    assert sorted(str(event.details["entity"]) for event in recorded(context)) == ["content_piece", "keyword"]


def test_what_is_long_is_cut_and_what_is_much_is_left_out(context: Context) -> None:
    subjects = {f"id_{number}": "x" * 2000 for number in range(50)}
    security_events.record(context, "much", subjects=subjects, details={"text": "y" * 2000, "number": 3})
    [event] = recorded(context)
    assert len(event.subject_ids) == security_events.MOST
    assert {len(each) for each in event.subject_ids} == {security_events.LONGEST}
    assert event.details == {"text": "y" * security_events.LONGEST, "number": 3}
