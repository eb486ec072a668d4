from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T20:53:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The marks of a job are those of its outputs, and an index of outputs in the trash"

STATEMENTS = (
    "UPDATE output SET favorite = true WHERE job IN (SELECT id FROM job WHERE favorite = true)",
    "UPDATE output SET rating = (SELECT job.rating FROM job WHERE job.id = output.job)"
    " WHERE job IN (SELECT id FROM job WHERE rating > 0)",
    "CREATE INDEX output_trashed ON output (trashed_at) WHERE trashed_at IS NOT NULL",
)
# What was recorded says what each job had: here all its outputs had it, and so had jobs without outputs.
RECORDED = "UPDATE undo SET before = coalesce((SELECT {0}), '[]') WHERE action IN ('favorite', 'rate')"
ON_SQLITE = RECORDED.format(
    "json_group_array(json_array(json_extract(value, '$[0]'), json_object('-1', json_extract(value, '$[1]'))))"
    " FROM json_each(undo.before)"
)
ON_POSTGRES = RECORDED.format(
    "json_agg(json_build_array(value -> 0, json_build_object('-1', value -> 1))) FROM json_array_elements(undo.before)"
)


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        on_postgres = Database._meta.db.engine_type == "postgres"
        for statement in (*STATEMENTS, ON_POSTGRES if on_postgres else ON_SQLITE):
            await Database.raw(statement)

    async def run_backwards():
        await Database.raw("DROP INDEX output_trashed")
        await Database.raw("DELETE FROM undo WHERE action IN ('favorite', 'rate')")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
