from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import UUID
from piccolo.columns.indexes import IndexMethod

ID = "2026-11-28T04:01:08:436074"
VERSION = "1.38.0"
DESCRIPTION = "What was done to many jobs is taken back in portions"


async def forwards():
    manager = MigrationManager(
        migration_id=ID, app_name="darkroom", description=DESCRIPTION
    )

    manager.add_column(
        table_class_name="Undo",
        tablename="undo",
        column_name="part_of",
        db_column_name="part_of",
        column_class_name="UUID",
        column_class=UUID,
        params={
            "default": None,
            "null": True,
            "primary_key": False,
            "unique": False,
            "index": True,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    return manager
