"""What every decorator does: name the function, register it with the framework, keep its declaration at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Protocol, TypeVar, cast

import flask
import functions_framework

from common.errors import ConfigurationError
from triggers.declaration import Declaration

Handler = TypeVar("Handler", bound=Callable[..., Any])
Handler_co = TypeVar("Handler_co", bound=Callable[..., Any], covariant=True)


class Served(Protocol[Handler_co]):
    """A function as the framework serves it."""

    @property
    def declaration(self) -> Declaration:
        """What it declared."""

    @property
    def name(self) -> str:
        """Name of the function, such as ``aso-content-create``."""

    @property
    def handler(self) -> Handler_co:
        """The undecorated handler, callable in tests."""

    def __call__(self, request: flask.Request) -> flask.Response:
        """Answer a raw request."""


def place_of(handler: Callable[..., Any]) -> str:
    """Return where a handler is defined, for messages: ``functions/aso/content_create.py:content_create``."""
    code = handler.__code__
    return f"{'/'.join(PurePath(code.co_filename).parts[-3:])}:{handler.__name__}"


def function_name(handler: Callable[..., Any]) -> str:
    """Return the function's name from the file of its handler: ``functions/<domain>/<operation>.py``.

    The file is asked, not the module's name: the framework loads a source file under its bare name.

    Raises:
        ConfigurationError: The file does not lie in ``functions/<domain>``, or the handler is not named after it.
    """
    path = PurePath(handler.__code__.co_filename)
    parts = path.with_suffix("").parts
    if len(parts) < 3 or parts[-3] != "functions":
        raise ConfigurationError(f"{place_of(handler)}: a function lives in functions/<domain>/<operation>.py")
    if handler.__name__ != parts[-1]:
        raise ConfigurationError(f"{place_of(handler)}: the handler must be named {parts[-1]}, after its file")
    return f"{parts[-2]}-{parts[-1]}".replace("_", "-")


def serve(
    handler: Handler,
    name: str,
    declaration: Declaration,
    answer: Callable[[flask.Request], flask.Response],
) -> Served[Handler]:
    """Return the function the framework serves under the handler's name.

    Every kind is registered with the ``http`` signature. The framework's own CloudEvent wrapper loses the ordering
    key, the subscription and the attempt of a message, and answers 400 to an event without data.
    """

    def served(request: flask.Request) -> flask.Response:
        return answer(request)

    served.__name__ = served.__qualname__ = handler.__name__
    served.__module__ = handler.__module__
    served.__doc__ = handler.__doc__
    vars(served).update(declaration=declaration, name=name, handler=handler)
    return cast("Served[Handler]", _registered(served))


def _registered(served: Callable[[flask.Request], flask.Response]) -> Callable[[flask.Request], flask.Response]:
    """Register without the wrapper that ``functions_framework.http`` returns: it would cost a call per request."""
    functions_framework.http(served)
    return served
