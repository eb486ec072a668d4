from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T20:14:30:000000"
VERSION = "1.38.0"
DESCRIPTION = "The name of a preset is unique for its model"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        await Database.raw("CREATE UNIQUE INDEX preset_of_model ON preset (model, name)")

    async def run_backwards():
        await Database.raw("DROP INDEX preset_of_model")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
