"""Take a file."""

from common.model import Model
from common.uploads import Upload
from triggers import http


class Taken(Model):
    size: int
    content_type: str
    filename: str | None


@http.post("/v1/demo/imports", scope="demo:write", rate="expensive", accepts=("text/csv",), max_body=100)
def note_import(upload: Upload) -> Taken:
    """Tell what arrived."""
    return Taken(size=len(upload.content), content_type=upload.content_type, filename=upload.filename)
