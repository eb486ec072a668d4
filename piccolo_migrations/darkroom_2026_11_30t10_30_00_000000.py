from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T10:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "An index for what the last runs of a model cost"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        await Database.raw("CREATE INDEX ledger_model ON ledger (model, id)")

    async def run_backwards():
        await Database.raw("DROP INDEX ledger_model")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
