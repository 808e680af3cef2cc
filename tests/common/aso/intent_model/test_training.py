"""Learning intents: nothing held out is learnt from, nothing worse than the rules is applied, noise is refused."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.aso.intent import guess_intent
from common.aso.intent_model import training
from common.aso.intent_model.classifier import CLASSES, DIMENSIONS, Classifier, Sample, features_of, softmax, trained
from common.aso.intent_model.training import answer, is_held_out, learnt, measured, wilson
from common.aso.models import Intent

THINGS = ("tent", "lamp", "rug", "desk", "guitar", "camera", "sofa", "kettle")
PATTERNS: dict[Intent, tuple[str, ...]] = {
    "informational": ("{} care", "{} sizing chart", "history of the {}"),
    "commercial": ("{} roundup", "{} shootout", "{} worth it"),
    "transactional": ("{} deal", "{} in stock", "order {}"),
}
"""Wordings that no rule knows: what a tenant of its own trade says."""


def samples(amount: int, seed: int = 5, *, wrong: float = 0.0) -> list[Sample]:
    chance = random.Random(seed)
    found = []
    for number in range(amount):
        intent = chance.choice(CLASSES)
        text = chance.choice(PATTERNS[intent]).format(
            f"{chance.choice(('red', 'old', 'mini'))} {chance.choice(THINGS)}"
        )
        told = chance.choice(CLASSES) if chance.random() < wrong else intent
        found.append(Sample(keyword_id=f"k{number}", text=text, intent=told))
    return found


def test_wordings_of_a_tenant_are_learnt() -> None:
    found = learnt(samples(300))
    assert found.reason is None
    assert found.classifier is not None
    assert found.threshold is not None
    assert found.rules.answered == 0
    assert found.model.accuracy is not None
    assert found.model.accuracy > 0.9
    assert found.model.coverage is not None
    assert found.model.coverage > 0.8
    assert answer(found.classifier, found.threshold, "vintage stove shootout")[0] == "commercial"


def test_the_figures_are_of_what_was_not_learnt_from() -> None:
    known = samples(200)
    held = [sample for sample in known if is_held_out(sample)]
    assert 20 < len(held) < 60
    lies: dict[Intent, Intent] = {
        "informational": "commercial",
        "commercial": "transactional",
        "transactional": "informational",
    }
    turned = [
        Sample(keyword_id=each.keyword_id, text=each.text, intent=lies[each.intent]) if is_held_out(each) else each
        for each in known
    ]
    one, other = learnt(known), learnt(turned)
    assert one.classifier is not None
    assert other.classifier is not None
    assert one.classifier.packed() == other.classifier.packed(), "labels of the held-out keywords change no weight"
    assert (other.model.accuracy or 0) < 0.2, "and are what is measured against"
    assert other.reason is None or other.reason == "worse_than_rules"


def test_labels_without_a_pattern_are_never_applied() -> None:
    assert learnt(samples(200, wrong=1.0)).reason == "never_sure"


def test_a_model_worse_than_the_rules_is_not_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keywords that the rules get right, and a model that says the same of all of them."""
    wordings: tuple[tuple[str, Intent], ...] = (("buy {}", "transactional"), ("best {}", "commercial"))
    known = [
        Sample(keyword_id=f"k{number}", text=wordings[number % 2][0].format(THINGS[number % 8]), intent=intent)
        for number in range(240)
        for intent in [wordings[number % 2][1]]
    ]
    assert learnt(known).reason is None
    monkeypatch.setattr(training, "answer", lambda classifier, threshold, text: ("informational", 1.0))
    found = learnt(known)
    assert found.reason == "worse_than_rules"
    assert found.rules.accuracy == 1.0
    assert found.together.right < found.rules.right


@pytest.mark.parametrize("amount", [0, 1, training.LEAST - 1])
def test_too_few_labels_are_not_learnt_from(amount: int) -> None:
    found = learnt(samples(amount))
    assert (found.reason, found.classifier, found.threshold) == ("too_few_labels", None, None)


def test_one_class_is_nothing_to_learn() -> None:
    known = [sample for sample in samples(400) if sample.intent == "commercial"]
    assert learnt(known).reason == "too_few_labels"


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_labels_changes_nothing(chance: random.Random) -> None:
    known = samples(80)
    shuffled = chance.sample(known, len(known))
    one, other = learnt(known), learnt(shuffled)
    assert (one.threshold, one.model, one.reason) == (other.threshold, other.model, other.reason)
    assert one.classifier is not None
    assert other.classifier is not None
    assert one.classifier.packed() == other.classifier.packed()


def test_weights_survive_their_packing() -> None:
    made = trained(samples(40))
    made.temperature = 1.5
    again = Classifier.unpacked(made.packed(), 1.5)
    for text in ("tent care", "order rug", "something else"):
        assert again.probabilities(text) == made.probabilities(text)
    assert len(made.packed()) < 100_000, "fits a document"


@given(st.text(max_size=60))
def test_any_text_has_features(text: str) -> None:
    found = features_of(text)
    assert found == sorted(set(found))
    assert 0 <= found[0] <= found[-1] == DIMENSIONS - 1


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=3), st.floats(0.25, 16))
def test_probabilities_add_up(scores: Sequence[float], temperature: float) -> None:
    found = softmax(scores, temperature)
    assert abs(sum(found) - 1) < 1e-9
    assert max(found) == found[max(range(3), key=lambda at: scores[at])]


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_lower_bound_is_one(right: int, wrong: int) -> None:
    bound = wilson(right, right + wrong)
    assert bound + 1e-12 >= 0
    if right + wrong:
        assert bound <= right / (right + wrong) + 1e-12
        assert wilson(right + 1, right + wrong + 1) >= bound - 1e-12


def test_what_is_measured() -> None:
    known = [
        Sample(keyword_id="1", text="buy rug", intent="transactional"),
        Sample(keyword_id="2", text="best rug", intent="informational"),
        Sample(keyword_id="3", text="rug", intent="commercial"),
    ]
    found = measured(known, lambda text: guess_intent(text).intent)
    assert (found.answered, found.right, found.of, found.accuracy, found.coverage) == (2, 1, 3, 0.5, 2 / 3)
