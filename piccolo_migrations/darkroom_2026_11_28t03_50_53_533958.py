from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Varchar
from piccolo.columns.indexes import IndexMethod

ID = "2026-11-28T03:50:53:533958"
VERSION = "1.38.0"
DESCRIPTION = "Saved searches keep their order"


async def forwards():
    manager = MigrationManager(
        migration_id=ID, app_name="darkroom", description=DESCRIPTION
    )

    manager.add_column(
        table_class_name="SavedSearch",
        tablename="saved_search",
        column_name="sort",
        db_column_name="sort",
        column_class_name="Varchar",
        column_class=Varchar,
        params={
            "length": 16,
            "default": "newest",
            "null": False,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    return manager
