"""Replay the dead letters of a function."""

from common import dead_letters
from common.context import Context
from common.dead_letters import ReplayAnswer, ReplayRequest
from triggers import http


@http.post(
    "/v1/platform/dead-letters/replay",
    scope="platform:write",
    tenancy="platform",
    status=202,
    needs={
        "firestore:read": "Finds the pending dead letters.",
        "tasks:enqueue:platform-dead-letter-redeliver": "Replays each of them by a task of its own.",
    },
)
def dead_letter_replay_many(body: ReplayRequest, context: Context) -> ReplayAnswer:
    """Replay the pending dead letters of one function, up to `limit`; `more` says whether others are left."""
    return dead_letters.replay_many(context, body)
