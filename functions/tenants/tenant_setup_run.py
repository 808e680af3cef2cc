"""Go on with making a tenant ready, because an operator asked for it."""

from common.context import Context
from common.tenants import setup
from common.tenants.models import SetupTask
from triggers import task


@task.handler(
    timeout=120,
    needs={
        "bigquery:administer": "creates the tenant's data sets and tables",
        "firestore:write": "notes each step and sets the tenant active",
        "kms:use": "wraps the tenant's data key",
    },
)
def tenant_setup_run(body: SetupTask, context: Context) -> None:
    """Do what is left of making the tenant ready; what is done already is not done again."""
    setup.run(context, body.tenant_id)
