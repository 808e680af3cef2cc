"""The manifest: what is read from handler files, what is refused and where, and that the committed file is fresh."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest

from common.errors import DeclarationError
from triggers import manifest
from triggers.declaration import Http, Message, Retry

GOOD = '''"""Get a thing. And more."""

from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/things/{thing_id}",
    scope="aso:read",
    needs={"bigquery:read": "reads the thing's history"},
)
def thing_get(thing_id: str, context: Context) -> Thing:
    """Return a thing.

    With details.
    """
    return things.get(context, thing_id)
'''


def write(root: Path, files: dict[str, str]) -> Path:
    """Make a repository of handler files, with one entity of the domain ``aso``."""
    for name, text in files.items():
        file = root / "functions" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (root / "common").mkdir(exist_ok=True)
    (root / "common" / "entities.json").write_text(json.dumps({"entities": [{"domain": "aso"}]}), encoding="utf-8")
    (root / "triggers").mkdir(exist_ok=True)
    return root


def handler(decorator: str, arguments: str = "", name: str = "work", imports: str = "") -> str:
    """Return a handler file whose decorator begins on line 6."""
    head = f'"""Do work."""\n\nfrom triggers import document, http, message, schedule, task\n{imports}\n\n'
    return f'{head}@{decorator}\ndef {name}({arguments}) -> None:\n    """Do it."""\n    work()\n'


def build_one(root: Path, text: str) -> manifest.Entry:
    (entry,) = manifest.build_manifest(write(root, {"aso/work.py": text}))
    return entry


def test_committed_files_are_fresh_and_valid() -> None:
    entries = manifest.load_manifest()
    assert manifest.render(manifest.build_manifest()) == manifest.MANIFEST_FILE.read_text(encoding="utf-8")
    schema = json.loads(manifest.SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"functions": entries}, schema)
    assert [entry["name"] for entry in entries] == sorted(entry["name"] for entry in entries)


def test_reading_executes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"aso/thing_get.py": GOOD + "\nraise SystemExit('executed')\n"})
    before = set(sys.modules)
    (entry,) = manifest.build_manifest(tmp_path)
    assert entry["name"] == "aso-thing-get"
    assert not [name for name in set(sys.modules) - before if name.startswith("functions.aso.thing")]


def test_entry_has_what_was_declared_what_defaults_to_and_what_is_implied(tmp_path: Path) -> None:
    (entry,) = manifest.build_manifest(write(tmp_path, {"aso/thing_get.py": GOOD}))
    assert entry["name"] == "aso-thing-get"
    assert (entry["kind"], entry["method"], entry["status"]) == ("http", "GET", 200)
    assert (entry["module"], entry["entry_point"]) == ("functions.aso.thing_get", "thing_get")
    assert entry["file"] == "functions/aso/thing_get.py"
    assert entry["summary"] == "Get a thing"
    assert entry["description"] == "Return a thing.\n\nWith details."
    assert entry["parameters"] == [
        {"name": "thing_id", "annotation": "str", "role": "path"},
        {"name": "context", "annotation": "Context", "role": "context"},
    ]
    assert list(entry["needs"]) == ["bigquery:read", "firestore:read", "redis:use"]
    assert entry["needs"]["bigquery:read"] == "reads the thing's history"
    assert manifest.declaration_of(entry) == Http(
        method="GET", path="/v1/aso/things/{thing_id}", scope="aso:read", needs=entry["needs"]
    )


def test_own_reason_wins_over_the_implied_one(tmp_path: Path) -> None:
    decorator = 'http.post("/v1/w", scope="aso:write", needs={"firestore:write": "stores the thing"})'
    assert build_one(tmp_path, handler(decorator))["needs"]["firestore:write"] == "stores the thing"


def test_public_operation_implies_no_permission(tmp_path: Path) -> None:
    assert build_one(tmp_path, handler('http.get("/v1/w", public=True)'))["needs"] == {}


def test_events_imply_writing_what_is_set_aside(tmp_path: Path) -> None:
    assert list(build_one(tmp_path, handler('schedule.cron("0 * * * *")'))["needs"]) == ["firestore:write"]


def test_retry_and_negative_literals_are_read(tmp_path: Path) -> None:
    imports = "from triggers.declaration import Retry"
    decorator = 'message.subscribe("aso-events", retry=Retry(attempts=7, minimum=1, maximum=60), dead_letter=True)'
    entry = build_one(tmp_path, handler(decorator, imports=imports))
    assert entry["retry"] == {"attempts": 7, "minimum": 1, "maximum": 60}
    declaration = manifest.declaration_of(entry)
    assert isinstance(declaration, Message)
    assert declaration.retry == Retry(attempts=7, minimum=1, maximum=60)
    with pytest.raises(DeclarationError, match="min_instances: -1 is less than the minimum"):
        build_one(tmp_path, handler('http.get("/v1/w", public=True, min_instances=-1)'))


def test_star_stands_for_every_task_and_every_topic(tmp_path: Path) -> None:
    decorator = (
        'message.subscribe("aso-events", needs={"tasks:enqueue:*": "starts any job", "pubsub:publish:*": "tells all"})'
    )
    files = {"aso/work.py": handler(decorator), "aso/import_run.py": handler("task.handler()", name="import_run")}
    run, work = manifest.build_manifest(write(tmp_path, files))
    assert run["name"] == "aso-import-run"
    assert list(work["needs"]) == ["firestore:write", "pubsub:publish:aso-events", "tasks:enqueue:aso-import-run"]


PUBLIC = "public=True"
REFUSED = {
    "unknown keyword": (handler('http.get("/v1/w", public=True, colour="red")'), 6, "http knows no colour"),
    "no literal": (handler('http.get("/v1/" + "w", public=True)'), 6, "is not a literal"),
    "f-string": (handler('http.get(f"/v1/w", public=True)'), 6, "is not a literal"),
    "line of the keyword": (
        handler('http.get(\n    "/v1/w",\n    scope=SCOPE,\n)'),
        8,
        "scope: SCOPE is not a literal",
    ),
    "double star": (handler('http.get("/v1/w", **more)'), 6, "is not a literal"),
    "two positional": (handler('http.get("/v1/w", "aso:read")'), 6, "takes 1 positional argument; got 2"),
    "implied field": (handler('http.get("/v1/w", method="PUT", public=True)'), 6, "method: already given"),
    "not called": (handler("task.handler"), 6, "must be called"),
    "no such decorator": (handler('http.head("/v1/w", public=True)'), 6, "there is no decorator @http.head"),
    "missing reason": (handler('http.get("/v1/w", scope="aso:read", needs={"redis:use": ""})'), 6, "needs a reason"),
    "one word is no reason": (handler('http.get("/v1/w", public=True, needs={"redis:use": "caching"})'), 6, "sentence"),
    "secret without reason": (handler('http.get("/v1/w", public=True, secrets={"KEY": " "})'), 6, "needs a reason"),
    "needs is no list": (handler('http.get("/v1/w", public=True, needs=("redis:use",))'), 6, "maps each one"),
    "unknown permission": (
        handler('http.get("/v1/w", public=True, needs={"firestore:admin": "does it all"})'),
        6,
        "there is no permission 'firestore:admin'",
    ),
    "unknown task": (
        handler('http.get("/v1/w", public=True, needs={"tasks:enqueue:aso-none": "starts it"})'),
        6,
        "there is no task function 'aso-none'",
    ),
    "unknown target topic": (
        handler('http.get("/v1/w", public=True, needs={"pubsub:publish:crm-events": "tells it"})'),
        6,
        "there is no topic 'crm-events'",
    ),
    "path without version": (handler('http.get("/w", public=True)'), 6, "is not a route"),
    "path with upper case": (handler('http.get("/v1/Work", public=True)'), 6, "is not a route"),
    "path with open brace": (handler('http.get("/v1/{w", public=True)'), 6, "is not a route"),
    "path parameter twice": (handler('http.get("/v1/{w}/{w}", public=True)', "w: str"), 6, "names a parameter twice"),
    "path parameter not taken": (handler('http.get("/v1/{w}", public=True)'), 6, "takes no argument w"),
    "unknown argument": (handler('http.get("/v1/w", public=True)', "thing: str"), 7, "nothing that a http function"),
    "argument of another kind": (handler('http.get("/v1/w", public=True)', "run: ScheduledRun"), 7, "nothing that"),
    "no annotation": (handler('http.get("/v1/w", public=True)', "body"), 7, "has no annotation"),
    "default of an argument": (handler('http.get("/v1/w", public=True)', "context: Context = None"), 7, "defaults"),
    "body of a GET": (handler('http.get("/v1/w", public=True)', "body: Thing"), 6, "GET request has no body"),
    "scope missing": (handler('http.get("/v1/w")'), 6, "asks for a scope"),
    "scope of a public one": (
        handler('http.get("/v1/w", scope="aso:read", public=True)'),
        6,
        "neither scope nor roles",
    ),
    "scope malformed": (handler('http.get("/v1/w", scope="aso")'), 6, "scope"),
    "cron with four fields": (handler('schedule.cron("0 * * *")'), 6, "cron has five"),
    "cron out of range": (handler('schedule.cron("61 * * * *")'), 6, "minute: '61' is not between 0 and 59"),
    "time zone": (handler('schedule.cron("0 * * * *", time_zone="Mars/Olympus")'), 6, "there is no 'Mars/Olympus'"),
    "HTTP timeout": (handler('http.get("/v1/w", public=True, timeout=3601)'), 6, "timeout: 3601 is greater"),
    "event timeout": (handler('document.written("things/{id}", timeout=541)'), 6, "timeout: 541 is greater"),
    "memory": (handler('http.get("/v1/w", public=True, memory=300)'), 6, "memory: 300 is not one of"),
    "type": (handler('http.get("/v1/w", public=True, memory="256")'), 6, "memory: '256' is not one of"),
    "instances": (handler('http.get("/v1/w", public=True, min_instances=11)'), 6, "more than max_instances"),
    "attempts": (handler('message.subscribe("aso-events", retry=Retry(attempts=2))'), 6, "retry.attempts: 2 is less"),
    "unknown retry": (handler('message.subscribe("aso-events", retry=Retry(times=2))'), 6, "Retry: "),
    "topic": (handler('message.subscribe("crm-events")'), 6, "no domain has the topic 'crm-events'"),
    "dead letters of dead letters": (handler('message.subscribe("*dead-letter*")'), 6, "has none itself"),
    "document path": (handler('document.written("things")'), 6, "path: 'things' does not match"),
    "async": (handler('http.get("/v1/w", public=True)').replace("\ndef", "\nasync def"), 7, "not an async one"),
    "two decorators": (handler('http.get("/v1/w", public=True)\n@functools.cache'), 8, "one decorator"),
    "other name": (handler('http.get("/v1/w", public=True)', name="play"), 7, "must be called work"),
    "no handler": ('"""Nothing."""\n', 1, "exactly one decorated handler"),
    "no module docstring": (
        handler('http.get("/v1/w", public=True)').replace('"""Do work."""', "# no"),
        1,
        "docstring",
    ),
    "no handler docstring": (handler('http.get("/v1/w", public=True)').replace('"""Do it."""', "pass"), 7, "docstring"),
    "syntax": ('"""Broken."""\n\ndef (:\n', 3, "syntax error"),
}


@pytest.mark.parametrize(("text", "line", "words"), REFUSED.values(), ids=REFUSED)
def test_wrong_declaration_is_refused_at_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(DeclarationError, match=re.escape(words)) as caught:
        build_one(tmp_path, text)
    assert (caught.value.file, caught.value.line) == ("functions/aso/work.py", line)


def test_two_handlers_in_a_file_are_refused(tmp_path: Path) -> None:
    text = handler("task.handler()") + "\n\n" + handler("task.handler()", name="more")
    with pytest.raises(DeclarationError, match="found 2"):
        build_one(tmp_path, text)


TOGETHER = {
    "same route": ('http.get("/v1/w", public=True)', 'http.get("/v1/w", public=True)', "", "already declared"),
    "other parameter name": ('http.get("/v1/{a}", public=True)', 'http.put("/v1/{b}", public=True)', "ab", "otherwise"),
    "ambiguous": (
        'http.get("/v1/{a}/list", public=True)',
        'http.get("/v1/all/{b}", public=True)',
        "ab",
        "match the same request",
    ),
}


@pytest.mark.parametrize(("first", "second", "names", "words"), TOGETHER.values(), ids=TOGETHER)
def test_routes_that_collide_are_refused(tmp_path: Path, first: str, second: str, names: str, words: str) -> None:
    arguments = [f"{name}: str" for name in names] or ["", ""]
    files = {"aso/one.py": handler(first, arguments[0], "one"), "aso/two.py": handler(second, arguments[1], "two")}
    with pytest.raises(DeclarationError, match=words) as caught:
        manifest.build_manifest(write(tmp_path, files))
    assert caught.value.file == "functions/aso/two.py"


def test_literal_segment_beside_a_parameter_is_no_collision(tmp_path: Path) -> None:
    files = {
        "aso/one.py": handler('http.get("/v1/w/{a}", public=True)', "a: str", "one"),
        "aso/two.py": handler('http.get("/v1/w/tree", public=True)', name="two"),
    }
    assert len(manifest.build_manifest(write(tmp_path, files))) == 2


def test_equal_names_are_refused(tmp_path: Path) -> None:
    files = {
        "aso/hub_tree.py": handler("task.handler()", name="hub_tree"),
        "aso_hub/tree.py": handler("task.handler()", name="tree"),
    }
    with pytest.raises(DeclarationError, match="aso-hub-tree is already declared in"):
        manifest.build_manifest(write(tmp_path, files))


def test_check_tells_a_stale_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"aso/thing_get.py": GOOD})
    assert manifest.main(["--check"], tmp_path) == 1
    assert manifest.main([], tmp_path) == 0
    assert manifest.main(["--check"], tmp_path) == 0
    write(tmp_path, {"aso/thing_get.py": GOOD.replace('"aso:read"', '"aso:write"')})
    assert manifest.main(["--check"], tmp_path) == 1
    write(tmp_path, {"aso/thing_get.py": GOOD.replace('"aso:read"', "SCOPE")})
    assert manifest.main(["--check"], tmp_path) == 1
    assert "functions/aso/thing_get.py:9: scope: SCOPE is not a literal" in capsys.readouterr().err


@pytest.mark.parametrize("entry", manifest.load_manifest(), ids=lambda entry: entry["name"])
def test_decorator_builds_what_the_manifest_read(entry: manifest.Entry) -> None:
    """The function that is served and the entry it is deployed from cannot disagree."""
    served = getattr(importlib.import_module(entry["module"]), entry["entry_point"])
    read = manifest.declaration_of(entry)
    assert served.name == entry["name"]
    assert dataclasses.replace(served.declaration, needs=read.needs) == read
    own = {permission for permission in served.declaration.needs if not permission.endswith("*")}
    assert own <= set(read.needs)
