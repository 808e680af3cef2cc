"""Changes of a schema: which ones stored data survives, what a release freezes, and where a refusal points."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError, create_model

from common.errors import DeclarationError
from common.model import Model
from triggers.deploy.schema import __main__ as command
from triggers.deploy.schema import baseline, deployed, steps
from triggers.deploy.schema.compare import admits, compare_deployed, compare_shapes
from triggers.deploy.schema.declared import Shape, model_shape, place_of, place_of_field, shapes
from triggers.manifest import ROOT


class Small(Model):
    """A part."""

    name: str


class Large(Model):
    """The same part, later."""

    name: str
    weight: float | None = None


TYPES: dict[str, Any] = {
    "str": str,
    "short": Annotated[str, Field(max_length=3)],
    "code": Annotated[str, Field(pattern="^[a-z]+$")],
    "str?": str | None,
    "int": int,
    "few": Annotated[int, Field(ge=0, le=9)],
    "many": Annotated[int, Field(ge=-5, le=99)],
    "positive": Annotated[int, Field(gt=0)],
    "float": float,
    "int or str": int | str,
    "bool": bool,
    "colour": Literal["red", "blue"],
    "more colours": Literal["red", "blue", "green"],
    "list": list[int],
    "pair": Annotated[list[int], Field(max_length=2)],
    "floats": list[float],
    "map": dict[str, int],
    "small": Small,
    "large": Large,
    "anything": Any,
}
VALUES: list[Any] = [
    None, True, 0, 5, 50, -3, 1.5, "", "red", "green", "abcdef", "ABC", [], [1], [1, 2, 3], [1.5], {}, {"a": 1},
    {"name": "x"}, {"name": "x", "weight": 2.0}, {"name": "x", "weight": None},
]  # fmt: skip


@functools.cache
def schema(name: str) -> Any:
    fields, _ = model_shape(create_model("Holder", __base__=Model, value=(TYPES[name], ...)))
    return fields["value"]


def fits(name: str, value: Any) -> bool:
    try:
        TypeAdapter(TYPES[name]).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def test_what_is_called_wider_takes_every_old_value() -> None:
    """No change that is let through refuses a value that was stored."""
    for before, after in itertools.product(TYPES, repeat=2):
        if admits(schema(after), schema(before)):
            refused = [value for value in VALUES if fits(before, value) and not fits(after, value)]
            assert refused == [], (before, after)
        else:
            assert before != after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("int", "float"), ("few", "many"), ("few", "int"), ("str", "str?"), ("short", "str"), ("int", "int or str"),
        ("colour", "more colours"), ("colour", "str"), ("pair", "list"), ("list", "floats"), ("small", "large"),
        ("map", "anything"),
    ],
)  # fmt: skip
def test_what_admits_more_is_let_through(before: str, after: str) -> None:
    """A tool that refuses everything is no help; and the way back is refused."""
    assert admits(schema(after), schema(before))
    assert not admits(schema(before), schema(after))


COLUMNS = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from(["STRING", "STRING NOT NULL", "INT64", "ARRAY<STRING>"]), min_size=1
)


def shape(columns: dict[str, str], **changes: Any) -> Shape:
    table: dict[str, Any] = {"dataset": "d_{tenant_id}", "name": "things", "key": "a", "columns": columns}
    table |= {"partition": None, "cluster": [], "immutable": False}
    fields = {name: {"type": "string"} for name in columns}
    made = Shape(name="keyword", schema_version=1, fields=fields, required=frozenset(), table=table)
    return dataclasses.replace(made, **changes)


@given(before=COLUMNS, after=COLUMNS)
def test_columns_are_added_or_loosened_and_nothing_else(before: dict[str, str], after: dict[str, str]) -> None:
    changes = [change for change in compare_shapes(shape(before), shape(after)) if not change.of_model]
    loosened = {("STRING NOT NULL", "STRING")}
    safe = all(
        name in after and (before[name] == after[name] or (before[name], after[name]) in loosened) for name in before
    ) and all(not after[name].endswith("NOT NULL") for name in set(after) - set(before))
    assert safe is not any(change.breaking for change in changes)
    assert (before == after) is (changes == [])
    assert {change.part for change in changes if change.action == "add"} == {
        name for name in set(after) - set(before) if not after[name].endswith("NOT NULL")
    }


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("dataset", "other"),
        ("name", "others"),
        ("key", "b"),
        ("partition", "a"),
        ("cluster", ["a"]),
        ("immutable", True),
    ],
)
def test_what_a_table_cannot_change_is_refused(word: str, value: object) -> None:
    before, after = shape({"a": "STRING"}), shape({"a": "STRING"})
    assert after.table is not None
    changed = dataclasses.replace(after, table={**after.table, word: value})
    assert [(change.part, change.breaking) for change in compare_shapes(before, changed)] == [(word, True)]
    gone = dataclasses.replace(after, table=None)
    assert [change.breaking for change in compare_shapes(before, gone)] == [True]
    assert compare_shapes(gone, before) == [], "a table may come"


def test_a_renamed_field_is_named() -> None:
    before, after = shape({"a": "STRING"}), shape({"b": "STRING"})
    told = [change.what for change in compare_shapes(before, after) if change.breaking]
    assert any("field a is gone (renamed to b?)" in what for what in told)
    assert any("column things.a is gone (renamed to b?)" in what for what in told)


def test_required_fields_cannot_come_later() -> None:
    before = shape({"a": "STRING"})
    new = dataclasses.replace(shape({"a": "STRING"}), fields={**before.fields, "n": {}}, required=frozenset({"n"}))
    [change] = compare_shapes(before, new)
    assert change.breaking
    assert "give a default" in change.what
    stricter = dataclasses.replace(before, required=frozenset({"a"}))
    assert [each.breaking for each in compare_shapes(before, stricter)] == [True]
    assert [each.breaking for each in compare_shapes(stricter, before)] == [False]


DEPLOYED: dict[str, Any] = {
    "schema": [
        {"name": "a", "type": "INTEGER", "mode": "REQUIRED"},
        {"name": "b", "type": "FLOAT", "mode": "NULLABLE"},
    ],
    "partition": "day",
    "cluster": ["a"],
}


@pytest.mark.parametrize(
    ("change", "breaking", "told"),
    [
        (lambda found: None, None, ""),
        (lambda found: found["schema"].append({"name": "c", "type": "JSON", "mode": "NULLABLE"}), False, "t.c is new"),
        (lambda found: found["schema"].append({"name": "c", "type": "JSON", "mode": "REQUIRED"}), True, "it NULLABLE"),
        (lambda found: found["schema"].pop(), True, "column t.b is gone"),
        (lambda found: found["schema"][0].update(type="STRING"), True, "is INT64 REQUIRED and is declared STRING"),
        (lambda found: found["schema"][1].update(mode="REPEATED"), True, "is declared FLOAT64 REPEATED"),
        (lambda found: found["schema"][1].update(mode="REQUIRED"), True, "is declared NOT NULL"),
        (lambda found: found["schema"][0].update(mode="NULLABLE"), False, "may be NULL now"),
        (lambda found: found.update(partition="a"), True, "partition of table t is 'day'"),
        (lambda found: found.update(cluster=[]), True, "cluster of table t is ['a']"),
    ],
)  # fmt: skip
def test_deployed_tables_are_held_against_declared_ones(
    change: Callable[[dict[str, Any]], object], breaking: bool | None, told: str
) -> None:
    declared = json.loads(json.dumps(DEPLOYED).replace('"INTEGER"', '"INT64"').replace('"FLOAT"', '"FLOAT64"'))
    change(declared)
    found = compare_deployed("keyword", "t", declared, DEPLOYED)
    assert [each.breaking for each in found] == ([] if breaking is None else [breaking])
    assert all(told in each.what for each in found)


def test_a_missing_table_is_made() -> None:
    [change] = compare_deployed("keyword", "t", DEPLOYED, None)
    assert (change.action, change.breaking) == ("create", False)


def released(**changes: Any) -> tuple[baseline.Baseline, dict[str, Shape]]:
    """Return the schemas of today as a release, and one declaration changed since."""
    now = shapes()
    found = baseline.release(baseline.renewed({}, now), "1.0.0")
    return found, now | {"keyword": dataclasses.replace(now["keyword"], **changes)}


def test_what_was_never_released_follows_its_declaration() -> None:
    """Until the first release a model may change as it likes."""
    now = shapes()
    recorded = baseline.renewed({}, now)
    fewer = {name: field for name, field in now["keyword"].fields.items() if name != "keyword"}
    changed = now | {"keyword": dataclasses.replace(now["keyword"], fields=fewer)}
    again = baseline.renewed(recorded, changed)
    assert "keyword" not in again["keyword"]["1"]["fields"]
    assert baseline.renewed(again, changed) == again


def test_a_release_freezes_the_version_and_not_the_words() -> None:
    found, now = released()
    assert baseline.renewed(found, now) == found
    more = {**now["keyword"].fields, "season": {"type": "string"}}
    with pytest.raises(DeclarationError, match=r"^common/aso/entities.py:\d+: .*write schema_version=2"):
        baseline.renewed(found, now | {"keyword": dataclasses.replace(now["keyword"], fields=more)})


def test_the_next_version_stands_beside_the_released_one() -> None:
    now = shapes()
    more = {**now["keyword"].fields, "season": {"type": "string"}}
    found, changed = released(fields=more, schema_version=now["keyword"].schema_version + 1)
    again = baseline.renewed(found, changed)
    first, second = again["keyword"].values()
    assert (first["released"], second["released"]) == ("1.0.0", None)
    assert "season" in second["fields"]
    assert "season" not in first["fields"]
    assert baseline.renewed(again, changed) == again


def test_a_breaking_change_is_refused_at_its_line_even_with_a_new_version() -> None:
    now = shapes()
    narrow = {**now["keyword"].fields, "search_volume": {"type": "string"}}
    found, changed = released(fields=narrow, schema_version=now["keyword"].schema_version + 1)
    with pytest.raises(DeclarationError, match="field search_volume does not admit every stored value") as refused:
        baseline.renewed(found, changed)
    line = (ROOT / refused.value.file).read_text(encoding="utf-8").splitlines()[refused.value.line - 1]
    assert "search_volume" in line


@pytest.mark.parametrize("version", [-1, 2])
def test_versions_go_up_one_by_one(version: int) -> None:
    found, changed = released(schema_version=shapes()["keyword"].schema_version + version)
    with pytest.raises(DeclarationError, match="was released, so"):
        baseline.renewed(found, changed)


def test_what_was_released_stays_declared() -> None:
    found, now = released()
    del now["keyword"]
    with pytest.raises(DeclarationError, match="keyword was released and is not declared any more"):
        baseline.renewed(found, now)


def test_places_are_lines_of_the_declaration() -> None:
    for name, made in shapes().items():
        whole = place_of(name)
        assert whole.line < whole.last
        for column in (made.table or {"columns": {}})["columns"]:
            place = place_of(name, column)
            text = (ROOT / place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]
            assert column in text or whole.line <= place.line <= whole.last
    place = place_of_field("keyword", "difficulty_score")
    assert "difficulty_score" in (ROOT / place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]
    with pytest.raises(DeclarationError, match="declares nothing"):
        place_of("nothing")


def test_a_torn_baseline_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "schemas.json"
    file.write_text('{"schemas": {', encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"^terraform/schemas.json:1: "):
        baseline.load_baseline(file)
    assert baseline.load_baseline(tmp_path / "none.json") == {}


def snapshot(file: Path) -> dict[str, Any]:
    """Write a snapshot of tables that are as declared, and return it."""
    tables = {name: deployed.declared(made) for name, (_, made) in deployed.tables_of("demo-project", "acme").items()}
    deployed.write_snapshot(file, "acme", tables)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_a_snapshot_is_planned_offline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "check", lambda: None)
    file = tmp_path / "snapshot.json"
    found = snapshot(file)
    assert command.main(["plan", "--snapshot", str(file)]) == 0
    assert "nothing to do" in capsys.readouterr().out

    columns = found["tables"]["keywords"]["schema"]
    found["tables"]["keywords"]["schema"] = [column for column in columns if column["name"] != "intent"]
    file.write_text(json.dumps(found), encoding="utf-8")
    assert command.main(["plan", "--snapshot", str(file)]) == 0
    text = capsys.readouterr().out
    assert "add keywords.intent as NULLABLE" in text
    assert all(f"  {number}. " in text for number in (1, 2, 3, 4))
    assert "aso-keyword-upsert" in text.split("  2. ")[1].split("  3. ")[0], "a writer"
    assert "aso-stats" in text.split("  4. ")[1], "a reader"

    columns[0]["type"] = "GEOGRAPHY"
    found["tables"]["keywords"]["schema"] = columns
    file.write_text(json.dumps(found), encoding="utf-8")
    assert command.main(["plan", "--snapshot", str(file)]) == 1
    assert capsys.readouterr().err.startswith("common/aso/entities.py:")


def test_commands_without_sense_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "check", lambda: None)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo-project")
    assert command.main(["plan"]) == 2
    assert "give --tenant ID" in capsys.readouterr().err
    assert command.main(["bump", "nothing"]) == 2
    assert "there is no entity 'nothing'" in capsys.readouterr().err
    assert command.main(["plan", "--snapshot", str(tmp_path / "none.json")]) == 1
    (tmp_path / "torn.json").write_text('{"tenant_id": "acme"}', encoding="utf-8")
    assert command.main(["plan", "--snapshot", str(tmp_path / "torn.json")]) == 1
    assert "torn.json:1: this is no snapshot" in capsys.readouterr().err


def test_bump_writes_the_next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into the declaration and nowhere else; a second time it counts on."""
    text = (ROOT / "common" / "tenants" / "entities.py").read_text(encoding="utf-8")
    copy = tmp_path / "common" / "tenants" / "entities.py"
    copy.parent.mkdir(parents=True)
    copy.write_text(text, encoding="utf-8")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "place_of", lambda name, part="": place_of(name, part, tmp_path))
    assert command.main(["bump", "tenant"]) == 0
    written = copy.read_text(encoding="utf-8")
    compile(written, "entities.py", "exec")
    assert written.count("schema_version=2,") == 1
    assert [line for line in written.splitlines() if "schema_version" not in line] == text.splitlines()


def test_writers_and_readers_hold_the_declaration() -> None:
    found = dict(steps.functions_with({"keyword"}, frozenset())["keyword"])
    assert found["aso-keyword-upsert"]
    assert found["aso-warehouse-sync"]
    assert not found["aso-keyword-get"]
    assert "platform-health" not in found
