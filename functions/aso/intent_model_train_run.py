"""Run the training of a tenant's model of intent."""

from common.aso.intent_model import run
from common.context import Context
from common.jobs.models import JobTask
from common.jobs.run import run_job
from triggers import task


@task.handler(
    timeout=1800,
    memory=1024,
    concurrency=1,
    concurrent_dispatches=5,
    needs={
        "firestore:write": "Reads labelled keywords, and keeps the model and the job's progress.",
        "storage:write": "Looks for rows that the job refused, as every job does.",
        "tasks:enqueue:aso-intent-model-train-run": "Goes on in a follow-up task after a dependency was away.",
    },
)
def intent_model_train_run(body: JobTask, context: Context) -> None:
    """Learn from the labelled keywords of a job's tenant, measure, and keep the model."""
    run_job(context, body, run.run)
