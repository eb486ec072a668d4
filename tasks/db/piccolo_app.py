"""Configure Piccolo with the tables and the folder of their migrations."""

import sys
from types import ModuleType

from piccolo.conf.apps import AppConfig
from piccolo.table import Table

from tasks.db.tables import TABLES
from tasks.settings import ROOT


class AnyTable(Table):
    """Runs the SQL of two old migrations. They import a table of `tasks.tables`, which is gone, and never change."""


sys.modules["tasks.tables"] = ModuleType("tasks.tables")
vars(sys.modules["tasks.tables"])["Job"] = AnyTable

APP_CONFIG = AppConfig(
    app_name="darkroom",
    migrations_folder_path=str(ROOT / "piccolo_migrations"),
    table_classes=TABLES,
)
