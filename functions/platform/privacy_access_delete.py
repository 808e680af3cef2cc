"""Delete an access export when its time is over."""

from common.context import Context
from common.jobs.models import JobTask
from common.platform.privacy import access_run
from triggers import task


@task.handler(needs={"storage:write": "Deletes the file."})
def privacy_access_delete(body: JobTask, context: Context) -> None:
    """Delete the file of an access export: it is personal data itself."""
    access_run.delete(context, body)
