"""Numbers of prints in figures and in words."""

from tasks.library.cards import MAX_COUNTED


def figures(number: int) -> str:
    """Return a number of prints in figures: "318", or "10,000+" for any that are not counted exactly."""
    return f"{number:,}" if number <= MAX_COUNTED else f"{MAX_COUNTED:,}+"


def prints(number: int) -> str:
    """Return a number of prints in words: "1 print", "1,318 prints"."""
    return f"{number:,} {'print' if number == 1 else 'prints'}"
