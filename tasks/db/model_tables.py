"""The tables of what the house says about models: which are starred or hidden, and named presets of their settings."""

from piccolo.columns import JSON, UUID, Boolean, Timestamptz, Varchar
from piccolo.table import Table

from tasks.db import ids


class ModelMark(Table, tablename="model_mark"):
    """What is said about a model on its page. A model without a row is neither starred nor hidden."""

    name = Varchar(length=300, primary_key=True)  # as the model is known: owner/name, or owner/name:version
    starred = Boolean(default=False)
    hidden = Boolean(default=False)  # from the composer's menu


class Preset(Table, tablename="preset"):
    """Settings of a model under a name, which is unique for the model."""

    id = UUID(primary_key=True, default=ids.new)
    model = Varchar(length=300)  # as it is known
    name = Varchar(length=100)
    parameters = JSON(default="{}")
    created_at = Timestamptz()


MODEL_TABLES: list[type[Table]] = [ModelMark, Preset]
