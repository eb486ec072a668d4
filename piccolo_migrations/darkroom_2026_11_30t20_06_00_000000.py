from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T20:06:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "What is held moves from its table into the rows of the jobs"


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        of_job = "(SELECT hold.{0} FROM hold WHERE hold.job = job.id)"
        await Database.raw(
            f"UPDATE job SET is_held = true, hold_budgets = {of_job.format('budgets')},"
            f" hold = {of_job.format('micros')}, hold_basis = {of_job.format('basis')}"
            " WHERE id IN (SELECT job FROM hold)"
        )
        await Database.raw("CREATE INDEX job_held ON job (id) WHERE is_held")

    async def run_backwards():
        await Database.raw("DROP INDEX job_held")
        await Database.raw(
            "INSERT INTO hold (job, budgets, micros, basis)"
            " SELECT id, hold_budgets, hold, hold_basis FROM job WHERE is_held"
        )

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
