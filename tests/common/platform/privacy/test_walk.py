"""A person planted in every kind of record is found, exported and erased everywhere, and nobody else is touched."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common import clients as clients_package
from common import erasures, objects, technical
from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import Context
from common.crypto import keys
from common.platform.privacy import residue, survey
from common.platform.privacy.person import MASK
from common.platform.privacy.stores.documents import Documents, expand
from common.platform.privacy.stores.every import STORES
from common.platform.privacy.stores.port import Walk
from common.platform.privacy.stores.technical import RULES, rule_of
from common.registry import entities
from common.settings import Settings
from tests.common.platform.privacy.people import (
    Human,
    context_for,
    covered,
    everything,
    plant,
    secret_of,
    walk_for,
)
from tests.warehouse_guard import guarded


@pytest.fixture(scope="module")
def clients(settings: Settings) -> Iterator[Clients]:
    """Clients whose statements pass the guard, with the buckets of the deployment."""
    made = Clients(settings)
    for bucket in (settings.content_bucket, settings.report_bucket):
        made.get(storage_client).create_bucket(bucket)
    with guarded(made.get(bigquery_client)):
        yield made


def erase(walk: Walk) -> dict[str, dict[str, int]]:
    expand(walk)
    erasures.remember(walk.context, walk.person.digests(walk.context), walk.case)
    return {store.name: store.erase(walk) for store in STORES}


def plant_everywhere(context: Context, human: Human, other: Human) -> list[str]:
    """Plant somebody in every field that people are found by, one document for each, and in every other store."""
    paths = []
    for entity in covered():
        finders = [each.field for each in entity.personal if each.identifies]
        paths += [plant(context, entity, {name: human}, actor=other) for name in finders]
        paths.append(plant(context, entity, {}, actor=human))
    client = context.clients.get(firestore_client)
    for collection in technical.COLLECTIONS:
        if rule_of(collection.path).how == "leave":
            continue
        fields: dict[str, Any] = {
            "tenant_id": context.tenant_id,
            "kept": "this",
            "noted": f"of {human.email.upper()} and others",
        }
        if collection.path == technical.IDEMPOTENCY.path:
            fields |= {"body": json.dumps({"email": human.email}).encode(), "headers": {}, "withheld": ""}
        client.document(f"{collection.path}/{uuid.uuid4().hex}").set(fields)
    return paths


def plant_outside(context: Context, human: Human, job_id: str) -> None:
    settings = context.clients.settings
    objects.write(context, settings.report_bucket, f"exports/{job_id}/file.csv", b"ordinary", "text/csv")
    objects.write(context, settings.content_bucket, "serp/2026-01-01/x.json", b"ordinary", "application/json")
    text = f"name,mail\nJane,{human.email}\n".encode()
    objects.write(context, settings.report_bucket, f"jobs/{uuid.uuid4()}/errors.csv", text, "text/csv")
    redis = context.clients.get(redis_client)
    assert redis is not None
    redis.set(f"aso_stats:{context.tenant_id}:abc", f'g 1 \n{{"by":"{human.user_id}"}}'.encode())
    redis.set(f"limits:rate/{context.tenant_id}/{human.user_id}/standard", "3")
    redis.hset(f"things:{context.tenant_id}", mapping={"who": human.email})
    redis.set(f"aso_stats:{context.tenant_id}:def", b"somebody else")


def test_a_person_who_is_everywhere_is_erased_everywhere(clients: Clients) -> None:
    context, foreign = context_for(clients), context_for(clients)
    human, other = Human(), Human()
    plant_everywhere(context, human, other)
    plant_everywhere(context, other, human)
    plant_everywhere(foreign, human, other)
    job = plant(context, entities()["job"], {"created_by": human}).rpartition("/")[2]
    plant_outside(context, human, job)
    before_foreign = everything(foreign)
    walk = walk_for(context, human)
    assert residue.search(walk), "planted, and nothing found"
    erased = erase(walk)
    assert residue.search(walk) == []
    assert everything(foreign) == before_foreign
    kept = {path: fields for path, fields in everything(context).items() if other.user_id in str(fields)}
    assert kept, "the other person is still there"
    assert residue.search(walk_for(context, other)), "and can be found"
    assert erased["files"] == {"exports": 1, "jobs": 1}
    assert erased["redis"] == {"keys": 3}
    redis = clients.get(redis_client)
    assert redis is not None
    assert redis.get(f"aso_stats:{context.tenant_id}:def") == b"somebody else"
    assert objects.exists(context, clients.settings.content_bucket, "serp/2026-01-01/x.json")
    again = erase(walk_for(context, human))
    assert not any(again[name] for name in ("files", "technical", "redis", "warehouse", "audit"))


def test_the_plan_says_what_the_erasure_does_and_changes_nothing(clients: Clients) -> None:
    context, human, other = context_for(clients), Human(), Human()
    plant_everywhere(context, human, other)
    keys.ensure(context, context.tenant_id)
    before = everything(context)
    plan = survey.survey(walk_for(context, human))
    assert everything(context) == before
    assert plan == survey.survey(walk_for(context, human)).model_copy(update={"planned_at": plan.planned_at})
    planned = {each.kind: each for each in plan.kinds if each.store == "documents"}
    assert planned.keys() == {entity.name for entity in covered()}
    walk = walk_for(context, human)
    erased = erase(walk)["documents"]
    assert {kind: each.records for kind, each in planned.items()} == erased
    assert {"field": "email", "action": "delete"} in [each.model_dump() for each in planned["user"].fields]
    assert human.email not in plan.model_dump_json()
    assert human.user_id not in plan.model_dump_json()


def test_a_plan_stands_for_what_it_found(clients: Clients) -> None:
    context, human, other = context_for(clients), Human(), Human()
    plant(context, entities()["import"], {"created_by": human})
    confirm = survey.survey(walk_for(context, human)).confirm
    plant(context, entities()["import"], {"created_by": other})
    assert survey.survey(walk_for(context, human)).confirm == confirm
    plant(context, entities()["invite"], {"email": human})
    assert survey.survey(walk_for(context, human)).confirm != confirm


ENTITIES = covered()


@st.composite
def documents(draw: st.DrawFn) -> list[tuple[str, dict[str, int], int]]:
    """Draw documents: kind, who is in which identifying field (of two people), who wrote it."""
    found = []
    for entity in draw(st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=6)):
        finders = [each for each in entity.personal if each.identifies and each.field != entity.key]
        whose = {each.field: draw(st.sampled_from([0, 1])) for each in finders if draw(st.booleans())}
        # Fields that are declared to be of one person never hold two, nor do those that take the whole record along.
        whole = [each.field for each in finders if each.erasure == "delete" and each.field in whose]
        if whole:
            whose |= dict.fromkeys(whole, whose[whole[0]])
        whose |= {each.field: whose[each.of] for each in finders if each.field in whose and each.of in whose}
        found.append((entity.name, whose, draw(st.sampled_from([0, 1]))))
    return found


@examples(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(planned=documents())
def test_whatever_is_not_the_persons_stays(clients: Clients, planned: list[tuple[str, dict[str, int], int]]) -> None:
    context = context_for(clients)
    humans = (Human(), Human())
    paths: dict[str, tuple[str, dict[str, int], int]] = {}
    for name, whose, actor in planned:
        names = {field: humans[number] for field, number in whose.items()}
        paths[plant(context, entities()[name], names, actor=humans[actor])] = (name, whose, actor)
    before = everything(context)
    walk = walk_for(context, humans[0])
    erase(walk)
    after = everything(context)
    text = json.dumps(after, default=str)
    assert humans[0].user_id not in text
    assert humans[0].email not in text
    for path, (name, whose, actor) in paths.items():
        touched = 0 in whose.values() or actor == 0
        deletes = {each.field for each in entities()[name].personal if each.identifies and each.erasure == "delete"}
        gone = any(whose.get(field) == 0 for field in deletes)
        assert (path in after) == (not gone)
        if gone:
            continue
        assert after[path]["ordinary"] == "kept"
        if not touched:
            assert after[path] == before[path]
        for field, number in whose.items():
            if number == 1:
                assert after[path][field] == before[path][field], "the other person's identifier"


def test_an_export_has_the_persons_values_and_nobody_elses(clients: Clients) -> None:
    context, human, other = context_for(clients), Human(), Human()
    invite = entities()["invite"]
    plant(context, invite, {"email": human, "invited_by": other})
    plant(context, invite, {"email": other, "invited_by": human}, ordinary=f"ask {other.email} or {human.email}")
    plant(context, entities()["user"], {"user_id": human, "email": human})
    plant(context, entities()["content_piece"], {}, actor=human)
    walk = walk_for(context, human)
    found = list(Documents().export(walk))
    text = json.dumps([record.data for record in found])
    assert other.email not in text
    assert other.user_id not in text
    mine, theirs = sorted(
        (each for each in found if each.kind == "invite"), key=lambda each: each.data["email"] == MASK
    )
    assert mine.data["email"] == human.email
    assert mine.data["invited_by"] == MASK
    assert theirs.data["invited_by"] == human.user_id
    assert theirs.data["ordinary"] == f"ask {MASK} or {human.email}"
    [trace] = [each.data for each in found if each.kind == "traces"]
    assert trace["entity"] == "content_piece"
    assert all("_meta" not in each.data for each in found)


def test_secrets_are_never_exported(clients: Clients) -> None:
    context, human = context_for(clients), Human()
    for entity in covered():
        if entity.secret:
            finder = next(each.field for each in entity.personal if each.identifies)
            path = plant(context, entity, {finder: human})
            context.clients.get(firestore_client).document(path).update(dict.fromkeys(entity.secret, "sealed-token"))
    found = list(Documents().export(walk_for(context, human)))
    assert found
    assert "sealed-token" not in json.dumps([each.data for each in found])


def test_a_person_is_known_by_what_their_own_records_say(clients: Clients) -> None:
    """Named by user id alone, the address in the user's document is looked for as well: an invitation has only that."""
    context, human, other = context_for(clients), Human(), Human()
    plant(context, entities()["user"], {"user_id": human, "email": human})
    invited = plant(context, entities()["invite"], {"email": human})
    plant(context, entities()["invite"], {"invited_by": other})
    walk = walk_for(context, Human(user_id=human.user_id, email="not-used@example.com"))
    erase(walk)
    assert invited not in everything(context)
    assert residue.search(walk_for(context, human)) == []
    assert residue.search(walk_for(context, other))


def test_uniqueness_is_freed_and_the_tombstone_tells_nothing(clients: Clients) -> None:
    context, human = context_for(clients), Human()
    path = plant(context, entities()["user"], {"user_id": human, "email": human})
    assert len([name for name in everything(context) if name.startswith("system/uniqueness")]) == 2
    erase(walk_for(context, human))
    left = everything(context)
    assert not [name for name in left if name.startswith("system/uniqueness")]
    [tombstone] = [fields for name, fields in left.items() if name.startswith("system/tombstones")]
    assert human.user_id not in json.dumps(tombstone, default=str)
    assert tombstone["_meta"]["erasure"]
    assert erasures.is_superseded(context, path, 0)


def test_erasing_what_somebody_changes_meanwhile_finds_it_again(clients: Clients) -> None:
    """A crash after some stores: a new walk with the same case goes on, and the receipts count each document once."""
    context, human = context_for(clients), Human()
    for _ in range(5):
        plant(context, entities()["job"], {"created_by": human})
    first = walk_for(context, human)
    Documents().erase(first)
    plant(context, entities()["job"], {"created_by": human})
    second = Walk(context=context, person=first.person, case=first.case)
    assert Documents().erase(second) == {"job": 6}
    assert Documents().erase(second) == {"job": 6}


def test_pseudonyms_are_equal_for_equal_people_and_apart_by_tenant(clients: Clients) -> None:
    context, foreign, human, other = context_for(clients), context_for(clients), Human(), Human()
    paths = [plant(each, entities()["job"], {"created_by": human}) for each in (context, context, foreign)]
    theirs = plant(context, entities()["job"], {"created_by": other})
    for each in (context, foreign):
        erase(walk_for(each, human))
        erase(walk_for(each, other))
    here, there = everything(context), everything(foreign)
    one, two, elsewhere = here[paths[0]]["created_by"], here[paths[1]]["created_by"], there[paths[2]]["created_by"]
    assert one == two
    assert one.startswith("erased-")
    assert len({one, elsewhere, here[theirs]["created_by"]}) == 3


def test_what_nobody_declared_is_found_by_the_search(clients: Clients) -> None:
    context, human = context_for(clients), Human()
    client = clients.get(firestore_client)
    client.document("forgotten_things/x").set({"tenant_id": context.tenant_id, "deep": [{"a": human.email}]})
    client.document(f"tenants/{context.tenant_id}/hidden/y").set({"b": human.user_id})
    client.document("forgotten_things/z").set({"tenant_id": "somebody_else", "deep": human.email})
    found = residue.search(walk_for(context, human))
    assert {(each.store, each.place, each.kind) for each in found} == {
        ("undeclared", "forgotten_things/x deep", "email"),
        ("undeclared", f"tenants/{context.tenant_id}/hidden/y b", "user_id"),
    }


def test_the_secret_text_of_a_clear_field_is_gone(clients: Clients) -> None:
    context, human, other = context_for(clients), Human(), Human()
    alert = entities()["rank_alert"]
    note = next(each for each in alert.personal if each.field == "note")
    mine = plant(context, alert, {"acknowledged_by": human})
    theirs = plant(context, alert, {"acknowledged_by": other})
    erase(walk_for(context, human))
    after: dict[str, Any] = everything(context)
    assert after[mine]["note"] is None
    assert after[theirs]["note"] == secret_of(note, other)
    assert after[mine]["_meta"]["erasure"]


def test_every_technical_collection_says_what_an_erasure_does_with_it() -> None:
    assert RULES.keys() == {each.path for each in technical.COLLECTIONS}
    assert all(rule.reason.endswith(".") for rule in RULES.values())


def test_every_kind_of_client_is_a_store_or_keeps_nothing() -> None:
    """Whoever adds a client of another service says here where the walk goes through it."""
    keeps = {
        "bigquery": "warehouse",
        "firestore": "documents, technical, audit",
        "redis": "redis",
        "storage": "files",
    }
    keeps_nothing = {
        "account_token": "tokens of our own service accounts",
        "firebase": "certificates that tokens are checked against",
        "identity": "the account at the identity provider goes with the event of the removed user",
        "pubsub": "messages on their way, for seven days at most; consumers refuse what was erased",
        "registry": "how clients are built",
        "signing": "signs links",
        "tasks": "tasks on their way; they name documents, and carry no values of people",
        "web": "calls other services",
    }
    folder = Path(clients_package.__file__ or "").parent
    found = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert found <= keeps.keys() | keeps_nothing.keys()
    assert {name for names in keeps.values() for name in names.split(", ")} == {store.name for store in STORES}


def test_every_file_lies_in_a_folder_that_the_walk_knows() -> None:
    """Files are searched wherever they lie; those of a job are found by the folder of its name."""
    common = Path(clients_package.__file__ or "").parents[1]
    writing = {
        str(file.relative_to(common))
        for file in common.rglob("*.py")
        if re.search(r"objects\.(write|upload|create)\(", file.read_text(encoding="utf-8"))
    }
    assert writing == WRITES_FILES


WRITES_FILES = {
    "aso/clusters/run.py",
    "aso/imports/start.py",
    "aso/tracking/checking.py",
    "dead_letters.py",
    "exports/run.py",
    "jobs/run.py",
    "platform/audit/seal.py",
    "platform/privacy/access_run.py",
}
"""Modules that write files: whoever adds one looks at ``stores.files.JOB_FOLDERS``, and at what erasures do with it."""
