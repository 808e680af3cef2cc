"""What every decorator does: name the function, register it with the framework, keep its declaration at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import flask
import functions_framework

from common.errors import ConfigurationError
from triggers.declaration import Declaration
from triggers.exchange import Exchange, HttpAnswer
from triggers.runtime import clients_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

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


class Pipeline(Protocol):
    """What answers requests."""

    def answer(self, exchange: Exchange) -> HttpAnswer:
        """Answer one request; never raises."""


def serve(handler: Handler, name: str, declaration: Declaration, pipeline: Pipeline) -> Served[Handler]:
    """Return the function the framework serves under the handler's name.

    Every kind is registered with the ``http`` signature. The framework's own CloudEvent wrapper loses the ordering
    key, the subscription and the attempt of a message, and answers 400 to an event without data.

    Where the framework loads the source for an application of this function, the application is also given a direct
    path to the pipeline (``Flask.wsgi_app`` is Flask's place for that). It saves more than half of what a request
    costs: Flask's contexts, its routing (the framework has one route for everything) and its response object. The
    answer is the same on both paths.
    """

    def served(request: flask.Request) -> flask.Response:
        exchange = Exchange(request.environ, clients_of(request.environ))
        answer = pipeline.answer(exchange)
        response = flask.Response(answer.body, status=answer.status_line)
        response.headers.clear()
        response.headers.extend(answer.wire_headers(exchange))
        return response

    def direct(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        exchange = Exchange(environ, clients_of(environ))
        answer = pipeline.answer(exchange)
        exchange.drain()
        start_response(answer.status_line, answer.wire_headers(exchange))
        if exchange.method == "HEAD":
            return ()
        return (answer.body,) if isinstance(answer.body, bytes) else answer.body

    served.__name__ = served.__qualname__ = handler.__name__
    served.__module__ = handler.__module__
    served.__doc__ = handler.__doc__
    vars(served).update(declaration=declaration, name=name, handler=handler)
    # The wrapper that ``functions_framework.http`` returns would cost a call a request; only its registration counts.
    functions_framework.http(served)
    if flask.has_app_context() and flask.current_app.name in {name, handler.__name__}:
        flask.current_app.wsgi_app = direct  # type: ignore[method-assign]
    return cast("Served[Handler]", served)
