"""The database of the settings, as something that is copied and loaded."""

from tasks.backup.postgres_database import PostgresDatabase
from tasks.backup.sqlite_database import SQLiteDatabase
from tasks.settings import Settings

Database = SQLiteDatabase | PostgresDatabase


def configured(settings: Settings) -> Database:
    """Return the database of DATABASE_URL."""
    path = settings.sqlite_path
    return PostgresDatabase(settings.database_url) if path is None else SQLiteDatabase(path)
