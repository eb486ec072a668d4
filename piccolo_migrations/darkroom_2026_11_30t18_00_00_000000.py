from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T18:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "One delivery for each event and target, and indexes for what is due and what is listed"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        await Database.raw("CREATE UNIQUE INDEX webhook_event ON webhook_delivery (target, event)")
        await Database.raw("CREATE INDEX webhook_due ON webhook_delivery (due_at) WHERE due_at IS NOT NULL")
        await Database.raw(
            "CREATE INDEX webhook_in_line ON webhook_delivery (target, job, created_at, id) WHERE state = 'pending'"
        )
        await Database.raw("CREATE INDEX webhook_of_endpoint ON webhook_delivery (endpoint, id)")
        await Database.raw("CREATE INDEX webhook_of_owner ON webhook_delivery (owner, id)")

    async def run_backwards():
        for name in ("event", "due", "in_line", "of_endpoint", "of_owner"):
            await Database.raw(f"DROP INDEX webhook_{name}")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
