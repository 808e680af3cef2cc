"""Fetch search performance from Search Console now."""

from common.answers import Answer
from common.aso.search_console_api import start
from common.context import Context
from common.jobs.models import JobView
from triggers import http


@http.post(
    "/v1/aso/search-console/sync",
    scope="aso:write",
    rate="expensive",
    status=202,
    needs={"firestore:write": "Reads the site's settings and begins the job."},
)
def search_console_sync_now(context: Context) -> Answer[JobView]:
    """Start fetching what is missing from the property in the site's settings; follow the job at `Location`.

    The first run goes back 16 months, the newest days first. Days younger than four days are fetched again, because
    Search Console still corrects them. A day's use of the API is limited; what remains is fetched the next day.
    """
    return start.start_now(context)
