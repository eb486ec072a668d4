from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T02:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "A prediction belongs to one attempt; indexes that libraries of earlier versions lack"

FORWARDS = (
    # Added to migrations that were published before: some libraries have them, some do not.
    "CREATE INDEX IF NOT EXISTS job_expiring ON job (deadline_at) WHERE status = 'queued' AND attempt IS NULL",
    "CREATE INDEX IF NOT EXISTS output_key ON output (key)",
    "CREATE INDEX IF NOT EXISTS attempt_prediction ON attempt (prediction_id)",
    "UPDATE attempt SET prediction_id = NULL WHERE prediction_id IS NOT NULL AND EXISTS (SELECT 1 FROM attempt AS earlier"
    " WHERE earlier.prediction_id = attempt.prediction_id AND earlier.id < attempt.id)",
    "CREATE UNIQUE INDEX attempt_prediction_once ON attempt (prediction_id)",
    "DROP INDEX attempt_prediction",
    "CREATE INDEX attempt_unknown ON attempt (created_at) WHERE error_code = 'submission_unknown'",
    "UPDATE output SET stored_key = key, stored_preview_key = preview_key",
    "CREATE INDEX output_stored_key ON output (stored_key)",
)
FORWARDS_ON_POSTGRES = ("ALTER TABLE job_words ALTER words SET STATISTICS 1000",)
BACKWARDS = (
    "DROP INDEX output_stored_key",
    "DROP INDEX attempt_unknown",
    "CREATE INDEX attempt_prediction ON attempt (prediction_id)",
    "DROP INDEX attempt_prediction_once",
)


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        on_postgres = Database._meta.db.engine_type == "postgres"
        for statement in (*FORWARDS, *(FORWARDS_ON_POSTGRES if on_postgres else ())):
            await Database.raw(statement)

    async def run_backwards():
        for statement in BACKWARDS:
            await Database.raw(statement)

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
