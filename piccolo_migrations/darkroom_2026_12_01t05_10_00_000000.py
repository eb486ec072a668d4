from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T05:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "An index of the webhooks of a job"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        await Database.raw("CREATE INDEX webhook_of_job ON webhook_delivery (job) WHERE job IS NOT NULL")

    async def run_backwards():
        await Database.raw("DROP INDEX webhook_of_job")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
