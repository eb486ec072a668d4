"""What the command `budgets` does."""

from argparse import Namespace

from tasks.accounts.audit import By
from tasks.jobs import budgets
from tasks.models.costs import dollars, usd
from tasks.spend import limits
from webapp.cli.table import table

BY = By()  # the command line
WORDS = {"day": " a day", "month": " a month", "total": " in total"}


async def act(asked: Namespace) -> list[str]:
    """Carry out a command. Returns the lines to print. Raises Rejected."""
    match asked.action:
        case "set":
            budget = await limits.put(asked.scope, asked.amount, BY)
            return [f"{limits.label(budget)} may spend ${dollars(budget.amount)}{WORDS[budget.period]}."]
        case "remove":
            gone = await limits.remove_all(asked.scope, BY)
            return [f"Removed {gone} budget{'' if gone == 1 else 's'} of {asked.scope}."]
        case _:
            rows = [
                (
                    limits.label(each), f"${limits.terms(each)}", usd(each.spent),
                    f"${dollars(each.held)}", f"${dollars(budgets.left(each))}",
                    f"{each.ends_at:%Y-%m-%d %H:%M} UTC" if each.ends_at else "never",
                )
                for each in await limits.listed()
            ]  # fmt: skip
            return table(("scope", "budget", "spent", "held", "left", "starts over"), rows)
