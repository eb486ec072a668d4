from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T14:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "One budget for each scope and period, and indexes for what is spent"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        await Database.raw("CREATE UNIQUE INDEX budget_of ON budget (scope, subject, period)")
        await Database.raw("CREATE INDEX ledger_owner ON ledger (owner, at) WHERE owner IS NOT NULL")
        await Database.raw("DROP INDEX ledger_model")
        await Database.raw("CREATE INDEX ledger_model ON ledger (model, id) WHERE kind = 'settle'")
        await Database.raw("CREATE INDEX job_cost ON job (cost, id) WHERE cost IS NOT NULL")

    async def run_backwards():
        await Database.raw("DROP INDEX budget_of")
        await Database.raw("DROP INDEX ledger_owner")
        await Database.raw("DROP INDEX ledger_model")
        await Database.raw("CREATE INDEX ledger_model ON ledger (model, id)")
        await Database.raw("DROP INDEX job_cost")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
