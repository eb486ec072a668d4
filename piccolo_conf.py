"""Where Piccolo's own commands find the database and the tables."""

from piccolo.conf.apps import AppRegistry

from tasks.db.database import DB

__all__ = ["APP_REGISTRY", "DB"]

APP_REGISTRY = AppRegistry(apps=["tasks.db.piccolo_app"])
