from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T20:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "American spelling: favorite"

FORWARDS = (  # before the column is renamed; its index follows it
    "DROP INDEX job_favourite",
    "CREATE INDEX job_favorite ON job (favourite, id)",
    "UPDATE undo SET action = 'favorite' WHERE action = 'favourite'",
    "UPDATE saved_search SET sort = 'favorites' WHERE sort = 'favourites'",
)
BACKWARDS = (  # also before
    "UPDATE saved_search SET sort = 'favourites' WHERE sort = 'favorites'",
    "UPDATE undo SET action = 'favourite' WHERE action = 'favorite'",
    "DROP INDEX job_favorite",
    "CREATE INDEX job_favourite ON job (favorite, id)",
)


class Database(Table):
    """Takes SQL, and stands for no table: what is in the code today may be gone tomorrow."""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)

    manager.rename_column(
        table_class_name="Job",
        tablename="job",
        old_column_name="favourite",
        new_column_name="favorite",
        old_db_column_name="favourite",
        new_db_column_name="favorite",
        schema=None,
    )

    async def run():
        for statement in FORWARDS:
            await Database.raw(statement)

    async def run_backwards():
        for statement in BACKWARDS:
            await Database.raw(statement)

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
