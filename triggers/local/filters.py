"""Pub/Sub subscription filters, which the emulator stores and does not apply.

Grammar (https://cloud.google.com/pubsub/docs/subscription-message-filter)::

    filter     = disjunct
    disjunct   = conjunct { "OR" conjunct }      AND and OR may not be mixed without parentheses
    conjunct   = negation { "AND" negation }
    negation   = ["NOT" | "-"] atom
    atom       = "(" filter ")" | "attributes:" key | "attributes." key ("=" | "!=") value
               | "hasPrefix(" "attributes." key "," value ")"
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from common.errors import ConfigurationError

Test = Callable[[Mapping[str, str]], bool]
TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(!=|[().,:=-])|([A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*))')
MAXIMUM = 256


def compile_filter(text: str) -> Test:
    """Return the test of a message's attributes that a filter stands for; an empty filter takes every message.

    Raises:
        ConfigurationError: Pub/Sub would refuse the filter.
    """
    if not text.strip():
        return lambda _attributes: True
    if len(text.encode()) > MAXIMUM:
        raise ConfigurationError(f"the filter {text!r} is longer than {MAXIMUM} bytes")
    parser = _Parser(text)
    test = parser.expression()
    if parser.peek():
        raise parser.error(f"unexpected {parser.peek()!r}")
    return test


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        self._next = 0
        position, end = 0, len(text.rstrip())
        while position < end:
            match = TOKEN.match(text, position)
            if match is None:
                raise self.error(f"cannot be read at character {position + 1}")
            self._tokens.append(match[0].strip())
            position = match.end()

    def error(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f"the filter {self._text!r}: {problem}")

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if not token or (wanted and token not in wanted):
            raise self.error(f"expected {' or '.join(wanted) or 'more'}, found {token or 'the end'!r}")
        self._next += 1
        return token

    def expression(self) -> Test:
        tests = [self.negation()]
        operator = self.peek()
        while self.peek() in {"AND", "OR"}:
            if self.take() != operator:
                raise self.error("AND and OR need parentheses between them")
            tests.append(self.negation())
        if operator == "OR":
            return lambda attributes: any(test(attributes) for test in tests)
        return lambda attributes: all(test(attributes) for test in tests)

    def negation(self) -> Test:
        if self.peek() not in {"NOT", "-"}:
            return self.atom()
        self.take()
        test = self.negation()
        return lambda attributes: not test(attributes)

    def atom(self) -> Test:
        if self.peek() == "(":
            self.take()
            test = self.expression()
            self.take(")")
            return test
        if self.take("attributes", "hasPrefix") == "attributes":
            return self._attribute()
        self.take("(")
        self.take("attributes")
        self.take(".")
        key = self._key()
        self.take(",")
        prefix = self._value()
        self.take(")")
        return lambda attributes: attributes.get(key, "").startswith(prefix) and key in attributes

    def _attribute(self) -> Test:
        if self.take(":", ".") == ":":
            key = self._key()
            return lambda attributes: key in attributes
        key = self._key()
        operator = self.take("=", "!=")
        value = self._value()
        if operator == "=":
            return lambda attributes: attributes.get(key) == value
        return lambda attributes: attributes.get(key) != value

    def _key(self) -> str:
        token = self.take()
        return str(json.loads(token)) if token.startswith('"') else token

    def _value(self) -> str:
        token = self.take()
        if not token.startswith('"'):
            raise self.error(f"{token!r} must be in double quotes")
        return str(json.loads(token))
