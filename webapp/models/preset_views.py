"""A preset as its model's page shows it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tasks.curation import presets
from tasks.db.model_tables import Preset
from webapp.composer.controls import text
from webapp.composer.form import settings_query


@dataclass(frozen=True, slots=True)
class PresetView:
    """A preset with its settings in words, and the address of the composer with them."""

    row: Preset

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def words(self) -> str:
        """Its settings: "width 896, height 1152"; "" for the model's defaults."""
        given = presets.settings_of(self.row)
        return ", ".join(f"{name.replace('_', ' ')} {text(value)}" for name, value in given.items())

    @property
    def composer(self) -> str:
        """The address of the composer, filled in."""
        return "/?" + urlencode(settings_query(self.row.model, presets.settings_of(self.row)))
