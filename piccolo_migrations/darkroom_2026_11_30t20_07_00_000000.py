from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "2026-11-30T20:07:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The table of what is held goes"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)
    manager.drop_table(class_name="Hold", tablename="hold", schema=None)
    return manager
