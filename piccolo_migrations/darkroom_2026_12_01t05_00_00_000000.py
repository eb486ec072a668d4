from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T05:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "One row of activity for each span, model and end, and one of each counter"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        await Database.raw("CREATE UNIQUE INDEX activity_of ON activity (span, starts_at, model, code)")
        await Database.raw("CREATE UNIQUE INDEX counter_of ON counter (name, label)")

    async def run_backwards():
        await Database.raw("DROP INDEX activity_of")
        await Database.raw("DROP INDEX counter_of")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
