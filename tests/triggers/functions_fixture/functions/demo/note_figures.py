"""Read figures through the cache."""

from common.answers import Cached
from common.cache import read_through
from common.context import Context
from common.entity import Namespace
from common.model import Model
from triggers import http

FIGURES = Namespace(name="demo_figures", ttl=60, source="firestore")


class Figures(Model):
    total: int


@http.get("/v1/demo/figures/{name}", scope="demo:read", rate="none")
def note_figures(name: str, context: Context) -> Cached[Figures]:
    """Count the letters of a name."""
    return read_through(context, FIGURES, {"name": name}, lambda: Figures(total=len(name)))
