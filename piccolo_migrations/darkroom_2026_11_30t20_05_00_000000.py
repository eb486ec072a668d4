from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Boolean, Text
from piccolo.columns.indexes import IndexMethod

ID = "2026-11-30T20:05:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "What is held for a job, in its own row"

COMMON = {
    "primary_key": False,
    "unique": False,
    "index": False,
    "index_method": IndexMethod.btree,
    "choices": None,
    "db_column_name": None,
    "secret": False,
}


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)
    manager.add_column(
        table_class_name="Job",
        tablename="job",
        column_name="hold_budgets",
        db_column_name="hold_budgets",
        column_class_name="Text",
        column_class=Text,
        params={"default": None, "null": True, **COMMON},
        schema=None,
    )
    manager.add_column(
        table_class_name="Job",
        tablename="job",
        column_name="is_held",
        db_column_name="is_held",
        column_class_name="Boolean",
        column_class=Boolean,
        params={"default": False, "null": False, **COMMON},
        schema=None,
    )
    return manager
