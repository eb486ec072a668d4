"""Configure Piccolo with the tables and the folder of their migrations."""

from piccolo.conf.apps import AppConfig

from tasks.settings import ROOT
from tasks.tables import TABLES

APP_CONFIG = AppConfig(
    app_name="darkroom",
    migrations_folder_path=str(ROOT / "piccolo_migrations"),
    table_classes=TABLES,
)
