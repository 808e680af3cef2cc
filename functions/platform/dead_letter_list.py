"""List dead letters."""

from common import dead_letters
from common.answers import Page
from common.context import Context
from common.dead_letters import DeadLetter, DeadLetterQuery
from triggers import http


@http.get(
    "/v1/platform/dead-letters",
    scope="platform:read",
    tenancy="platform",
    needs={"firestore:read": "Lists the dead letters."},
)
def dead_letter_list(query: DeadLetterQuery, context: Context) -> Page[DeadLetter]:
    """List deliveries that could not be processed, the latest failure first, by function and status."""
    return dead_letters.list_dead_letters(context, query)
