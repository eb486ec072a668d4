"""A budget as /spend shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.db.money_tables import Budget
from tasks.jobs import budgets
from tasks.jobs.budgets import Period, Scope
from tasks.settings import settings

BAR_WIDTH = 1000  # of the drawing


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A budget with what its bar and its words need. in_full: whether the viewer may see what is spent of it."""

    row: Budget
    in_full: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def whose(self) -> str:
        """What it is for, in words."""
        return "Everyone together" if self.row.scope == Scope.ALL else self.row.name

    @property
    def period(self) -> str:
        """The time that it is for, in words."""
        return budgets.IN_WORDS[Period(self.row.period)]

    @property
    def left(self) -> int:
        """What is left of it, in micro-dollars."""
        return budgets.left(self.row)

    @property
    def percent(self) -> int:
        """How much of it is spent or held."""
        return budgets.used(self.row) * 100 // self.row.amount if self.row.amount else 100

    @property
    def is_low(self) -> bool:
        """Whether most of it is used."""
        return budgets.is_low(self.row)

    @property
    def spent_width(self) -> int:
        """The width of what is spent, in its bar."""
        return self._width(self.row.spent)

    @property
    def used_width(self) -> int:
        """The width of what is spent or held, in its bar."""
        return self._width(budgets.used(self.row))

    @property
    def over_at(self) -> datetime | None:
        """When it starts over, in the zone of TIMEZONE; None for a budget in total."""
        return self.row.ends_at.astimezone(settings.zone) if self.row.ends_at else None

    def _width(self, micros: int) -> int:
        return max(0, min(BAR_WIDTH, micros * BAR_WIDTH // self.row.amount)) if self.row.amount else BAR_WIDTH
