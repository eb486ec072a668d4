from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T16:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "An index to find jobs by their metadata"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        await Database.raw("CREATE INDEX job_metadata_pair ON job_metadata (name, value, job)")

    async def run_backwards():
        await Database.raw("DROP INDEX job_metadata_pair")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
