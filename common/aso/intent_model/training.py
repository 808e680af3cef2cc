"""Learn a tenant's intents from the keywords it labelled, and tell honestly how good that is.

A fifth of the labelled keywords, chosen by their ids, is held out and never learnt from; all figures are measured on
it. From the rest the confidence is calibrated (temperature scaling over five folds), and the *threshold* is the lowest
confidence from which on the folds were right in ``PRECISION`` of the cases by the lower bound of the Wilson interval.
Below it the model abstains and the rules answer.

The model is applied only if on the held-out keywords model and rules together are right at least as often as the rules
alone, both of all keywords and of those they answer. With fewer labels than ``LEAST``, or only one class with enough of
them, nothing is learnt.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.aso.intent import guess_intent
from common.aso.intent_model.classifier import CLASSES, Classifier, Sample, softmax, trained
from common.aso.models import Intent

LEAST = 60
LEAST_OF_A_CLASS = 10
FOLDS = 5
PRECISION = 0.8
Z = 1.96
"""Of the Wilson interval: 95 %."""
TEMPERATURES = tuple(2.0 ** (step / 4) for step in range(-8, 17))
"""Tried for the calibration, a quarter to sixteen."""

Tick = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """How well something does on held-out keywords.

    Attributes:
        answered: Keywords it answered.
        right: Those of them it answered rightly.
        of: Keywords it was asked.
    """

    answered: int
    right: int
    of: int

    @property
    def accuracy(self) -> float | None:
        """Right answers among the answers; None without any."""
        return self.right / self.answered if self.answered else None

    @property
    def coverage(self) -> float | None:
        """Share of keywords that were answered."""
        return self.answered / self.of if self.of else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnt:
    """What was learnt.

    Attributes:
        classifier: With its temperature; None where there was too little to learn from.
        threshold: Confidence below which the model abstains; None: it always does.
        model: How the model alone does on the held-out keywords.
        rules: How the rules alone do.
        together: How both together do: the model where it is sure, else the rules.
        reason: Why it is not applied; None where it is.
    """

    classifier: Classifier | None
    threshold: float | None
    model: Measured
    rules: Measured
    together: Measured
    reason: str | None


def is_held_out(sample: Sample) -> bool:
    """Tell whether a keyword belongs to the fifth that is held out; follows from its id alone."""
    return _part(sample, "held out") == 0


def learnt(samples: Sequence[Sample], tick: Tick = lambda: None) -> Learnt:
    """Learn from labelled keywords and measure.

    Args:
        samples: Keywords with different ids; their order does not matter.
        tick: Called now and then.
    """
    held = [sample for sample in samples if is_held_out(sample)]
    known = [sample for sample in samples if not is_held_out(sample)]
    rules = measured(held, lambda text: guess_intent(text).intent)
    nothing = Measured(answered=0, right=0, of=len(held))
    enough = Counter(sample.intent for sample in known)
    if len(samples) < LEAST or not held or sum(count >= LEAST_OF_A_CLASS for count in enough.values()) < 2:
        return Learnt(
            classifier=None, threshold=None, model=nothing, rules=rules, together=rules, reason="too_few_labels"
        )
    told = _told_apart(known, tick)
    tick()
    classifier = trained(known)
    classifier.temperature = min(TEMPERATURES, key=lambda each: (_surprise(told, each), each))
    threshold = _threshold(told, classifier.temperature)
    if threshold is None:
        return Learnt(
            classifier=classifier, threshold=None, model=nothing, rules=rules, together=rules, reason="never_sure"
        )

    def by_model(text: str) -> Intent | None:
        return answer(classifier, threshold, text)[0]

    model = measured(held, by_model)
    together = measured(held, lambda text: by_model(text) or guess_intent(text).intent)
    worse = together.right < rules.right or (together.accuracy or 0.0) < (rules.accuracy or 0.0)
    return Learnt(
        classifier=classifier,
        threshold=threshold,
        model=model,
        rules=rules,
        together=together,
        reason="worse_than_rules" if worse else None,
    )


def answer(classifier: Classifier, threshold: float, text: str) -> tuple[Intent | None, float]:
    """Return what the model makes of a keyword (None: it abstains) and its confidence."""
    probabilities = classifier.probabilities(text)
    best = max(range(len(CLASSES)), key=lambda number: (probabilities[number], -number))
    confidence = probabilities[best]
    return (CLASSES[best] if confidence >= threshold else None), confidence


def measured(samples: Sequence[Sample], ask: Callable[[str], Intent | None]) -> Measured:
    """Return how well ``ask`` does."""
    answers = [(sample.intent, ask(sample.text)) for sample in samples]
    given = [(truth, told) for truth, told in answers if told is not None]
    return Measured(answered=len(given), right=sum(truth == told for truth, told in given), of=len(samples))


def wilson(right: int, of: int) -> float:
    """Return the lower bound of the Wilson interval of a share."""
    if not of:
        return 0.0
    share = right / of
    middle = share + Z * Z / (2 * of)
    spread = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    return (middle - spread) / (1 + Z * Z / of)


def _part(sample: Sample, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose} {sample.keyword_id}".encode()).digest()[:4], "big") % FOLDS


def _told_apart(known: Sequence[Sample], tick: Tick) -> list[tuple[Sequence[float], int]]:
    """Return the scores of each sample by a model that has not seen it, and the number of its class."""
    told: list[tuple[Sequence[float], int]] = []
    for fold in range(FOLDS):
        tick()
        classifier = trained([sample for sample in known if _part(sample, "fold") != fold])
        asked = sorted((sample for sample in known if _part(sample, "fold") == fold), key=lambda each: each.keyword_id)
        told += [(classifier.scores(sample.text), CLASSES.index(sample.intent)) for sample in asked]
    return told


def _surprise(told: Sequence[tuple[Sequence[float], int]], temperature: float) -> float:
    """Return the negative log-likelihood of the truth."""
    return -math.fsum(math.log(max(softmax(scores, temperature)[truth], 1e-12)) for scores, truth in told)


def _threshold(told: Sequence[tuple[Sequence[float], int]], temperature: float) -> float | None:
    """Return the lowest confidence from which on the answers are right often enough."""
    answers = []
    for scores, truth in told:
        probabilities = softmax(scores, temperature)
        best = max(range(len(CLASSES)), key=lambda number: (probabilities[number], -number))
        answers.append((probabilities[best], best == truth))
    answers.sort(key=lambda each: (-each[0], not each[1]))
    found, right = None, 0
    for number, (confidence, is_right) in enumerate(answers, 1):
        right += is_right
        last_of_its_kind = number == len(answers) or answers[number][0] < confidence
        if last_of_its_kind and wilson(right, number) >= PRECISION:
            found = confidence
    return found
