"""Classes of retention: what is younger than its class never goes, and whoever names a class can be enforced."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.retention import CLASSES, cutoff, is_over, period
from triggers.entities import declared_entities, declared_facts

ENTITIES = {entity.name: entity for entity in declared_entities()}
ENDING = sorted(name for name, each in CLASSES.items() if each.ends)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ages = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=5000))


@given(name=st.sampled_from(ENDING), chosen=st.integers(-10_000, 10_000), age=ages)
def test_nothing_within_its_class_is_over_and_everything_beyond_is(name: str, chosen: int, age: timedelta) -> None:
    kept = period(name, {name: chosen})
    assert kept is not None
    assert is_over(name, {name: chosen}, NOW - age, NOW) is (age > kept)
    bounds = CLASSES[name]
    assert timedelta(days=bounds.shortest or 0) <= kept <= timedelta(days=bounds.longest or 0)


@given(name=st.sampled_from(ENDING), age=ages, one=st.integers(1, 4000), more=st.integers(0, 4000))
def test_a_longer_period_never_removes_more(name: str, age: timedelta, one: int, more: int) -> None:
    if is_over(name, {name: one + more}, NOW - age, NOW):
        assert is_over(name, {name: one}, NOW - age, NOW)


@given(age=ages, chosen=st.dictionaries(st.sampled_from(sorted(CLASSES)), st.integers(1, 9999)))
def test_what_lives_with_the_tenant_is_never_over(age: timedelta, chosen: dict[str, int]) -> None:
    assert not is_over("tenant_life", chosen, NOW - age, NOW)
    assert cutoff("tenant_life", chosen, NOW) is None


@pytest.mark.parametrize("name", ENDING)
def test_what_has_no_age_is_never_over(name: str) -> None:
    assert not is_over(name, {}, None, NOW)


@pytest.mark.parametrize("each", CLASSES.values(), ids=str)
def test_every_class_has_a_reason_a_source_and_bounds_around_its_default(each: object) -> None:
    found = CLASSES[each.name]  # type: ignore[attr-defined]
    assert found.reason.endswith(".")
    assert re.search(r"document 00\d|GDPR", found.source)
    assert (found.days is None) is (found.shortest is None) is (found.longest is None)
    assert found.days is None or found.allows(found.days)


@pytest.mark.parametrize("name", sorted(ENTITIES))
def test_a_kind_that_goes_by_age_can_be_found_by_age(name: str) -> None:
    entity = ENTITIES[name]
    assert entity.retention in CLASSES, f"{name}: no such class of retention"
    if not CLASSES[entity.retention].ends:
        assert entity.aged_by is None, f"{name}: its class does not go by age"
        return
    aged_by = entity.aged_by
    assert aged_by is not None, f"{name}: say by which field it ages (aged_by)"
    stored = {field.alias or key for key, field in entity.model.model_fields.items()}
    assert aged_by in stored
    assert aged_by not in entity.unindexed
    if entity.ttl is None and entity.location == "shared":
        wanted = ("tenant_id", aged_by)
        assert any(index.fields == wanted for index in entity.indexes), f"{name} needs the index {wanted}"


def test_facts_name_classes() -> None:
    assert all(facts.retention in CLASSES and facts.table.partition for facts in declared_facts())
