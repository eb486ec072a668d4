from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T13:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Indexes for whose a job is"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        await Database.raw("CREATE INDEX job_owner ON job (owner, id) WHERE owner IS NOT NULL")
        await Database.raw("CREATE INDEX job_api_key ON job (api_key, id) WHERE api_key IS NOT NULL")

    async def run_backwards():
        await Database.raw("DROP INDEX job_owner")
        await Database.raw("DROP INDEX job_api_key")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
