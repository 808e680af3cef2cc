"""Preview an import."""

from common.aso.imports.models import ImportQuery, Preview
from common.aso.imports.preview import preview
from common.aso.site.service import site_of
from common.context import Context
from common.uploads import Upload
from triggers import http


@http.post(
    "/v1/aso/imports/preview",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=512,
    concurrency=4,
    max_body=33_554_432,
    accepts=("text/csv", "text/plain", "text/tab-separated-values", "application/csv", "multipart/form-data"),
    needs={"firestore:read": "Reads which hosts are the tenant's own."},
)
def import_preview(upload: Upload, query: ImportQuery, context: Context) -> Preview:
    """Show how a file would be imported, and store nothing: tool, encoding, columns, first rows, problems of a sample.

    Takes what `POST /v1/aso/imports` takes. Correct the proposal with `mapping`, look again, then import.
    """
    return preview(upload, query, site_of(context).hosts)
