"""What `darkroom migrate --check` and `--plan` print."""

from tasks.db.migrations import Standing


def verdict(standing: Standing) -> str:
    """Return in a line whether the database and this version fit together, and what to do if they do not."""
    if standing.unknown:
        return (
            f"The database is newer than this version of Darkroom: it has run {_counted(len(standing.unknown))} that"
            " this version does not know. Use the newer version."
        )
    if count := len(standing.waiting):
        return (
            f"{_counted(count)} {'waits' if count == 1 else 'wait'}: run `darkroom migrate`, or start the web server or"
            " a worker, which run what waits first."
        )
    return "The database is up to date."


def plan(standing: Standing) -> list[str]:
    """Return the migrations that would be run, in their order, each with its id and description."""
    return [f"{waiting.id}  {waiting.description}".rstrip() for waiting in standing.waiting]


def _counted(count: int) -> str:
    return f"{count} migration{'' if count == 1 else 's'}"
