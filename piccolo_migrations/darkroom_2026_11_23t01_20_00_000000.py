from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from tasks.tables import Job

ID = "2026-11-23T01:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Attempts under way are known to their jobs; indexes for the queue"

FORWARDS = (
    "UPDATE job SET attempt = (SELECT attempt.id FROM attempt WHERE attempt.job = job.id AND attempt.finished_at IS NULL)"
    " WHERE status IN ('queued', 'running')",
    "CREATE INDEX job_waiting ON job (priority DESC, turn, id) WHERE status = 'queued'",
    "CREATE INDEX job_client ON job (client, priority, turn) WHERE status = 'queued'",
    "CREATE INDEX job_resumed ON job (due_at) WHERE status = 'queued' AND attempt IS NOT NULL",
    "CREATE INDEX job_leased ON job (lease_until) WHERE status = 'running'",
    "CREATE INDEX job_expiring ON job (deadline_at) WHERE status = 'queued' AND attempt IS NULL",
    "CREATE INDEX attempt_prediction ON attempt (prediction_id)",
    "CREATE INDEX job_completed ON job (model, id) WHERE status = 'completed'",
)
BACKWARDS = tuple(f"DROP INDEX {statement.split()[2]}" for statement in FORWARDS[1:])


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    async def run():
        for statement in FORWARDS:
            await Job.raw(statement)

    async def run_backwards():
        for statement in BACKWARDS:
            await Job.raw(statement)

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
