"""The checks of a page and what each weighs. Changing what a check asks for or its weight is a new ``DEFINITION``.

Bounds are conventions of the trade unless a check says otherwise; none of them is a promise of any search engine.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common.aso.addresses import page_key
from common.aso.pages.looks import Look
from common.aso.pages.score_models import Check, CheckStatus
from common.aso.pages.words import Haystack, parts_of

DEFINITION = "1"

SHOWN = 5
"""Examples that evidence holds at most."""

TITLE_PIXELS = 600
"""Width at which Google cuts a title on a desktop, in pixels of its 20 px Arial."""

Evidence = dict[str, Any]
Finding = tuple[CheckStatus, Evidence]
NOT_APPLICABLE: Finding = ("not_applicable", {})

_NARROW, _SLIM, _WIDE = frozenset("iIjl.,:;'|!"), frozenset('frt()[]{}- /\\"'), frozenset("mwMW@%")
HREFLANG = re.compile(r"x-default|[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """A check.

    Attributes:
        weight: Share of the score.
        look: Looks.
        advice: What to do unless it passes.
        of_text: Whether plain text can be checked, too.
    """

    weight: float
    look: Callable[[Look], Finding]
    advice: str
    of_text: bool = False


def checked(look: Look) -> list[Check]:
    """Return every check of a page, in a fixed order."""
    return [_check(name, rule, look) for name, rule in RULES.items()]


def score(checks: list[Check]) -> float:
    """Return the score of checks: 0 to 100, one decimal."""
    worth = {"pass": 1.0, "warn": 0.5, "fail": 0.0}
    applicable = [check for check in checks if check.status in worth]
    total = sum(check.weight for check in applicable)
    return round(100 * sum(check.weight * worth[check.status] for check in applicable) / total, 1) if total else 0.0


def _check(name: str, rule: Rule, look: Look) -> Check:
    status, evidence = NOT_APPLICABLE if look.is_text and not rule.of_text else rule.look(look)
    advice = rule.advice if status in {"warn", "fail"} else None
    return Check(check=name, status=status, weight=rule.weight, evidence=evidence, advice=advice)


# ---------------------------------------------------------------------- where the keyword is


def _placed(text: str | None, look: Look) -> Finding:
    """Pass: the phrase is there. Warn: all its words are, elsewhere or in another order."""
    if not text:
        return "fail", {"text": None}
    haystack = Haystack(text)
    position = haystack.position(look.keyword)
    evidence: Evidence = {"text": text[:300], "position": position}
    if position is not None:
        return "pass", evidence
    return ("warn" if haystack.has_all(look.keyword) else "fail"), evidence


def _in_title(look: Look) -> Finding:
    return _placed(look.page.title, look)


def _in_h1(look: Look) -> Finding:
    return _placed(" \n ".join(text for level, text in look.page.headings if level == 1), look)


def _in_subheadings(look: Look) -> Finding:
    texts = [text for level, text in look.page.headings if level in {2, 3}]
    if not texts:
        return "not_applicable", {"subheadings": 0}
    with_it = [text for text in texts if Haystack(text).count(look.keyword)]
    partly = [text for text in texts if set(parts_of(text)) & set(parts_of(look.keyword))]
    status: CheckStatus = "pass" if with_it else "warn" if partly else "fail"
    return status, {
        "subheadings": len(texts),
        "with_keyword": len(with_it),
        "examples": [t[:100] for t in with_it[:SHOWN]],
    }


def _in_opening(look: Look) -> Finding:
    position = look.opening.position(look.keyword)
    status: CheckStatus = "pass" if position is not None else "warn" if look.opening.has_all(look.keyword) else "fail"
    return status, {"position": position}


def _in_url(look: Look) -> Finding:
    if look.path is None:
        return NOT_APPLICABLE
    return _placed(look.path, look)


def _in_description(look: Look) -> Finding:
    return _placed(look.description, look)


def _in_alt_texts(look: Look) -> Finding:
    texts = [image.alt for image in look.page.images if image.alt]
    if not look.page.images:
        return "not_applicable", {"images": 0}
    found = sum(bool(Haystack(text).count(look.keyword)) for text in texts)
    return ("pass" if found else "warn"), {"images": len(look.page.images), "with_keyword": found}


def _density(look: Look) -> Finding:
    count, words = look.body.count(look.keyword), len(look.body.parts)
    share = round(100 * count * len(parts_of(look.keyword)) / words, 2) if words else 0.0
    evidence: Evidence = {"occurrences": count, "words": words, "density_percent": share}
    if not count or share > 6:
        return "fail", evidence
    return ("pass" if 0.2 <= share <= 4 else "warn"), evidence


def _secondary(look: Look) -> Finding:
    if not look.secondary:
        return NOT_APPLICABLE
    counts = {keyword: look.body.count(keyword) for keyword in look.secondary}
    missing = [keyword for keyword, count in counts.items() if not count]
    status: CheckStatus = "pass" if not missing else "warn" if len(missing) < len(counts) else "fail"
    return status, {"occurrences": counts, "missing": missing}


# ---------------------------------------------------------------------- head


def _title_length(look: Look) -> Finding:
    title = look.page.title
    if not title:
        return "fail", {"characters": 0}
    pixels = title_pixels(title)
    evidence: Evidence = {"characters": len(title), "pixels": pixels, "pixel_limit": TITLE_PIXELS}
    return ("pass" if len(title) >= 30 and pixels <= TITLE_PIXELS else "warn"), evidence


def title_pixels(title: str) -> int:
    """Return about how wide a title is in 20 px Arial: within a tenth for Latin text."""
    return round(sum(_width(letter) for letter in title))


def _width(letter: str) -> float:
    if letter in _NARROW:
        return 5
    if letter in _SLIM:
        return 6.5
    if letter in _WIDE:
        return 17
    if ord(letter) > 0x2E7F:
        return 20
    return 13.5 if letter.isupper() else 10.7


def _description_length(look: Look) -> Finding:
    length = len(look.description or "")
    evidence: Evidence = {"characters": length, "descriptions": len(look.page.meta.get("description", []))}
    if not length:
        return "fail", evidence
    return ("pass" if 70 <= length <= 160 else "warn"), evidence


def _canonical(look: Look) -> Finding:
    found = [look.page.resolved(look.url, href) or href for href in look.page.canonicals]
    evidence: Evidence = {"canonicals": [each[:300] for each in found[:SHOWN]]}
    if not found:
        return "warn", evidence
    keys = {page_key(each) for each in found}
    if len(keys) > 1:
        return "fail", evidence | {"problem": "several"}
    if look.url is not None and keys != {page_key(look.url)}:
        return "warn", evidence | {"problem": "another_page"}
    return "pass", evidence


def _indexable(look: Look) -> Finding:
    return ("fail" if "noindex" in look.robots else "pass"), {"robots": sorted(look.robots - {""})[:20]}


def _viewport(look: Look) -> Finding:
    found = next(iter(look.page.meta.get("viewport", [])), None)
    return ("pass" if found and "width" in found.lower() else "fail"), {"viewport": (found or "")[:200] or None}


def _lang(look: Look) -> Finding:
    return ("pass" if look.page.language else "warn"), {"lang": (look.page.language or "")[:40] or None}


def _hreflang(look: Look) -> Finding:
    pairs = look.page.hreflangs
    if not pairs:
        return NOT_APPLICABLE
    codes = [code.lower() for code, _ in pairs]
    invalid = sorted({code[:40] for code in codes if not HREFLANG.fullmatch(code)})
    twice = sorted(code[:40] for code, number in Counter(codes).items() if number > 1)
    here = page_key(look.url or "")
    targets = {page_key(look.page.resolved(look.url, href) or "") for _, href in pairs}
    itself = None if here is None else here in targets
    evidence: Evidence = {"languages": len(pairs), "invalid": invalid[:SHOWN], "twice": twice[:SHOWN], "itself": itself}
    if invalid:
        return "fail", evidence
    return ("warn" if twice or itself is False else "pass"), evidence


def _structured(look: Look) -> Finding:
    kinds, broken = set[str](), 0
    for text in look.page.json_ld[:50]:
        try:
            kinds |= _types(json.loads(text))
        except (ValueError, RecursionError):
            broken += 1
    evidence: Evidence = {"types": sorted(kinds)[:20], "microdata": look.page.microdata, "broken": broken}
    if broken:
        return "fail", evidence
    return ("pass" if kinds or look.page.microdata else "warn"), evidence


def _types(data: object) -> set[str]:
    found, waiting = set[str](), [data]
    while waiting and len(found) < 50:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, Mapping):
            kind = item.get("@type")
            found |= {str(each)[:80] for each in (kind if isinstance(kind, list) else [kind]) if each}
            waiting += item.values()
    return found


# ---------------------------------------------------------------------- body


def _single_h1(look: Look) -> Finding:
    texts = [text for level, text in look.page.headings if level == 1]
    status: CheckStatus = "pass" if len(texts) == 1 and texts[0] else "fail" if not any(texts) else "warn"
    return status, {"h1": len(texts), "texts": [text[:200] for text in texts[:SHOWN]]}


def _heading_order(look: Look) -> Finding:
    levels = [level for level, _ in look.page.headings]
    if not levels:
        return "not_applicable", {"headings": 0}
    skipped = [
        f"h{before} > h{level}: {look.page.headings[at + 1][1][:80]}"
        for at, (before, level) in enumerate(itertools.pairwise(levels))
        if level > before + 1
    ]
    evidence: Evidence = {"headings": len(levels), "skipped": len(skipped), "examples": skipped[:SHOWN]}
    return ("warn" if skipped else "pass"), evidence


def _alt_texts(look: Look) -> Finding:
    images = look.page.images
    if not images:
        return "not_applicable", {"images": 0}
    without = [image.src[:200] for image in images if image.alt is None]
    status: CheckStatus = "pass" if not without else "warn" if len(without) * 2 < len(images) else "fail"
    return status, {"images": len(images), "without_alt": len(without), "examples": without[:SHOWN]}


def _length(look: Look) -> Finding:
    words = look.word_count
    return ("pass" if words >= 300 else "warn" if words >= 100 else "fail"), {"words": words}


def _readable(look: Look) -> Finding:
    found = look.readability
    if found.ease is None:
        return "not_applicable", {"reason": found.reason}
    good, bad = (60, 40) if found.language == "it" else (50, 30)
    status: CheckStatus = "pass" if found.ease >= good else "warn" if found.ease >= bad else "fail"
    return status, {"ease": found.ease, "language": found.language, "pass_from": good, "fail_below": bad}


def _internal(look: Look) -> Finding:
    internal, _ = look.own_links
    nofollow = sum(link.nofollow for link in internal)
    evidence: Evidence = {"links": len(internal), "nofollow": nofollow}
    followed = len(internal) - nofollow
    return ("pass" if followed >= 2 and not nofollow else "warn" if followed else "fail"), evidence


def _external(look: Look) -> Finding:
    _, external = look.own_links
    nofollow = sum(link.nofollow for link in external)
    return ("pass" if len(external) > nofollow else "warn"), {"links": len(external), "nofollow": nofollow}


RULES: Mapping[str, Rule] = {
    "indexable": Rule(10, _indexable, "Take noindex away, unless the page shall not be found."),
    "keyword_in_title": Rule(12, _in_title, "Put the keyword into the title, near its beginning."),
    "keyword_in_h1": Rule(9, _in_h1, "Put the keyword into the h1."),
    "keyword_in_opening": Rule(8, _in_opening, "Say the keyword within the first 100 words.", of_text=True),
    "keyword_density": Rule(
        6, _density, "Use the keyword where it helps the reader: more than never, not in every sentence.", of_text=True
    ),
    "word_count": Rule(6, _length, "Answer the search in full; 300 words are little for a page.", of_text=True),
    "readability": Rule(6, _readable, "Write shorter sentences and plainer words.", of_text=True),
    "title_length": Rule(6, _title_length, "Keep the title between 30 characters and what fits 600 pixels."),
    "single_h1": Rule(5, _single_h1, "Give the page one h1 with text."),
    "secondary_keywords": Rule(5, _secondary, "Work the missing secondary keywords in.", of_text=True),
    "meta_description": Rule(5, _description_length, "Describe the page in 70 to 160 characters."),
    "keyword_in_meta_description": Rule(3, _in_description, "Say the keyword in the meta description."),
    "keyword_in_subheadings": Rule(4, _in_subheadings, "Use the keyword in an h2 or h3."),
    "keyword_in_url": Rule(4, _in_url, "Use the keyword in the address of a new page; do not move an old one for it."),
    "keyword_in_alt_texts": Rule(2, _in_alt_texts, "Describe an image that shows it with the keyword."),
    "internal_links": Rule(4, _internal, "Link to at least two pages of the site, followed."),
    "external_links": Rule(2, _external, "Link to a source."),
    "heading_order": Rule(3, _heading_order, "Do not skip levels of headings."),
    "alt_texts": Rule(3, _alt_texts, "Give every image an alt attribute; an empty one where it decorates."),
    "canonical": Rule(4, _canonical, "Name the page's own address as the only canonical one."),
    "viewport": Rule(3, _viewport, "Add <meta name=viewport content='width=device-width, initial-scale=1'>."),
    "lang": Rule(2, _lang, "Name the language in the lang attribute of html."),
    "hreflang": Rule(2, _hreflang, "List each language once with a valid code, this page among them."),
    "structured_data": Rule(2, _structured, "Add structured data that a validator accepts."),
}
"""The checks by name."""
