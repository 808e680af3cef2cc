"""robots.txt: the examples of RFC 9309, and agreement with an independent reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from common.aso.pages.robots import LIMIT, read

RFC_SIMPLE = """\
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""


def allowed(text: str | bytes, path: str, agent: str = "bot") -> bool:
    body = text if isinstance(text, bytes) else text.encode()
    return read(body).rules_for(agent).verdict(path).allowed


@pytest.mark.parametrize(
    ("agent", "path", "expected"),
    [
        ("other", "/a.gif", False),
        ("other", "/a.gif?x", True),
        ("other", "/example/x", False),
        ("other", "/publications/x", True),
        ("foobot", "/publications/", False),
        ("foobot", "/example/page.html", True),
        ("foobot", "/example/allowed.gif", True),
        ("barbot", "/example/page.html", False),
        ("BazBot/2.1", "/example/page.html", False),
        ("bazbot", "/a.gif", True),
        ("quxbot", "/example/page.html", True),
    ],
)
def test_the_groups_of_the_rfc(agent: str, path: str, expected: bool) -> None:
    """RFC 9309, 5.1."""
    assert allowed(RFC_SIMPLE, path, agent) is expected


def test_the_longest_match_of_the_rfc() -> None:
    """RFC 9309, 5.2."""
    text = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n"
    verdict = read(text.encode()).rules_for("foobot").verdict("https://www.example.com/example/page/disallow.gif")
    assert (verdict.allowed, verdict.rule and verdict.rule.line) == (True, 2)
    assert not allowed(text, "https://www.example.com/example/page/disallowed.gif", "foobot")


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        # RFC 9309, 2.2.2: what is in the file and what is asked for are compared in one form.
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
        ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https://foo.bar"),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%E3%83%84", "/foo/bar/ツ"),
        ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html"),
        ("/path/foo-%24", "/path/foo-$"),
        ("/a$b", "/a$b"),
        ("/this/path/exactly$", "/this/path/exactly"),
        ("/this/*/exactly", "/this/path/exactly/and/more"),
        ("/*?session=", "/a?session=1"),
        ("*", "/"),
        ("/", "/anything"),
        ("/a*", "/a"),
        ("/a**b", "/axxb"),
    ],
)
def test_escapes_and_wildcards(rule: str, path: str) -> None:
    assert not allowed(f"User-agent: *\nDisallow: {rule}\n", path)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/this/path/exactly$", "/this/path/exactly/"),
        ("/a%2Fb", "/a/b"),
        ("/Case", "/case"),
        ("/a*b$", "/ab/c"),
        ("/a*ba$", "/aba/b"),
        ("/aba*ba$", "/aba"),
        ("", "/"),
        ("x", "/x"),
        ("/*.php$", "/index.php?x"),
    ],
)
def test_no_match(rule: str, path: str) -> None:
    assert allowed(f"User-agent: *\nDisallow: {rule}\n", path)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_marks_comments_and_case(ending: str) -> None:
    lines = ["\ufeff# comment", "USER-AGENT : Bot # mine", "disallow: /a # not b", "", "Crawl-delay: 5", "DISALLOW:/c"]
    text = ending.join(lines)
    assert [allowed(text, path) for path in ("/a", "/b", "/c")] == [False, True, False]


def test_allowing_wins_a_tie_and_groups_of_one_agent_are_merged() -> None:
    tie = "User-agent: *\nDisallow: /a\nAllow: /a\n"
    assert allowed(tie, "/a")
    assert allowed("User-agent: *\nAllow: /a*\nDisallow: /a$\n", "/a")
    for rules in ("Allow: /a*\nDisallow: /ab", "Disallow: /ab\nAllow: /a*", "Disallow: /a*\nAllow: /ab"):
        assert allowed(f"User-agent: *\n{rules}\n", "/ab")
    for rules in ("Disallow: /*b\nAllow: /*ab", "Allow: /*ab\nDisallow: /*b"):
        assert allowed(f"User-agent: *\n{rules}\n", "/xab")
    merged = "User-agent: bot\nDisallow: /a\nUser-agent: other\nDisallow: /b\nUser-agent: bot\nDisallow: /c\n"
    assert [allowed(merged, path) for path in ("/a", "/b", "/c")] == [False, True, False]


def test_the_file_itself_and_what_belongs_to_no_group() -> None:
    assert allowed("User-agent: *\nDisallow: /\n", "/robots.txt")
    assert allowed("Disallow: /\nUser-agent: *\nDisallow: /b\n", "/a")
    assert allowed("", "/")
    assert allowed(b"\xff\xfe\x00garbage\x00", "/")
    assert allowed("<html>User-agent: *\n\nno robots here</html>", "/")


def test_what_an_audit_wants_to_know() -> None:
    text = "Sitemap: https://example.com/s.xml\nUser-agent: *\nDisalow: /a\nsitemap:/relative.xml\nno colon\n: x\n"
    found = read(text.encode())
    assert found.sitemaps == [(1, "https://example.com/s.xml"), (4, "/relative.xml")]
    assert found.strange == {3: "Disalow: /a", 5: "no colon", 6: ": x"}
    assert not found.cut


def test_only_the_first_500_kib_count() -> None:
    body = b"User-agent: *\nDisallow: /first\n" + b"#" * LIMIT + b"\nDisallow: /last\n"
    assert read(body).cut
    assert (allowed(body, "/first"), allowed(body, "/last")) == (False, True)


def test_no_pattern_takes_long() -> None:
    text = "User-agent: *\n" + "".join(f"Disallow: /{'a*' * 500}{number}b$\n" for number in range(200))
    rules = read(text.encode()).rules_for("bot")
    assert rules.verdict("/" + "a" * 2000).allowed


PATHS = st.text(alphabet="ab/*$?%é.", max_size=8).map(lambda text: f"/{text}")


@given(
    st.lists(st.tuples(st.booleans(), st.text(alphabet="ab/*$.", max_size=6).map(lambda text: f"/{text}")), max_size=6),
    st.text(alphabet="ab/.", max_size=8).map(lambda text: f"/{text}"),
)
def test_verdicts_agree_with_another_reader(rules: list[tuple[bool, str]], path: str) -> None:
    lines = [f"{'Allow' if allow else 'Disallow'}: {pattern}" for allow, pattern in rules if "$" not in pattern[:-1]]
    text = "\n".join(["User-agent: *", *lines, ""])
    assert allowed(text, path) == Protego.parse(text).can_fetch(f"https://example.com{path}", "bot")


@given(st.lists(st.tuples(st.booleans(), PATHS), max_size=6), PATHS, st.randoms())
def test_the_order_of_rules_does_not_matter(rules: list[tuple[bool, str]], path: str, random: object) -> None:
    lines = [f"{'Allow' if allow else 'Disallow'}: {pattern}" for allow, pattern in rules]
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert allowed("\n".join(["User-agent: *", *lines]), path) == allowed("\n".join(["User-agent: *", *shuffled]), path)


@given(st.binary(max_size=200), PATHS)
def test_any_bytes_are_a_robots_txt(body: bytes, path: str) -> None:
    read(body).rules_for("bot").verdict(path)
