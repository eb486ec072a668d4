"""The changes that tidying makes to a portion of jobs at once, in SQL, and their undo.

A deed first records in an Undo row which jobs it will change and which values they, or their outputs, have. Then it
changes the jobs on this list, so the change and its undo always agree.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.curation.undoable_outputs import OutputEdit
from tasks.db.dialect import JSON_ARRAY, JSON_EACH, JSON_GROUP_ARRAY, LOCK_ROWS, json_at, new_id, typed
from tasks.db.tables import Condition, Job, Undo
from tasks.jobs.chunks import one_by_one

NOT_DELETED = WhereRaw("job.deleted_at IS NULL")


@dataclass(frozen=True, slots=True)
class TrashEdit:
    """A deed that moves jobs into the trash, where they are since `moment`, or out of it, with None."""

    moment: datetime | None

    def undone(self) -> Condition:
        """Return a condition for the jobs that are not yet where the deed moves them."""
        return WhereRaw(f"job.trashed_at IS {'NOT NULL' if self.moment is None else 'NULL'}")

    def do(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """Return the statements that change the jobs on the list."""
        return [
            QueryString(
                "UPDATE job SET trashed_at = {}, changed_at = {} WHERE id IN (SELECT id FROM ({}) AS listed)",
                self.moment, moment, listed,
            )
        ]  # fmt: skip

    def undo(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """Return the statements that restore the old values of the listed jobs that are still as this deed left them.

        The first statement returns the ids of the restored jobs.
        """
        done = WhereRaw("job.trashed_at IS NULL") if self.moment is None else Job.trashed_at == self.moment
        return [
            QueryString(
                # MATERIALIZED: otherwise SQLite reads the list again for every job.
                f"WITH listed AS MATERIALIZED ({{}}) UPDATE job SET trashed_at = {typed('listed.had', 'timestamptz')},"
                " changed_at = {} FROM listed WHERE job.id = listed.id AND {} RETURNING job.id",
                listed, moment, one_by_one(NOT_DELETED & done).querystring,
            )
        ]  # fmt: skip

    @property
    def had(self) -> Any:
        """The column whose value is recorded for each job."""
        return Job.trashed_at


@dataclass(frozen=True, slots=True)
class RowEdit:
    """A deed that adds a job's own row to another table, or removes it: a tag, or a place in a collection."""

    table: str
    column: str
    value: str | UUID
    there: bool

    @property
    def done(self) -> Condition:
        """A condition for the jobs that already are as the deed leaves them."""
        return self._that(self.there)

    def undone(self) -> Condition:
        """Return a condition for the jobs that are not yet as the deed leaves them."""
        return self._that(not self.there)

    def do(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """Return the statements that change the jobs on the list."""
        return [(self._add if self.there else self._take)(listed), _touch(listed, moment)]

    def undo(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """Return the statements that restore the old state of the listed jobs that are still as this deed left them.

        The first statement returns the ids of the restored jobs.
        """
        still = QueryString(
            "SELECT job.id FROM job WHERE job.id IN (SELECT id FROM ({}) AS listed) AND {}",
            listed, one_by_one(NOT_DELETED & self.done).querystring,
        )  # fmt: skip
        # Touched first: after the other statement the jobs are no longer as the deed left them.
        touched = QueryString("{} RETURNING id", _touch(still, moment))
        return [touched, (self._take if self.there else self._add)(still)]

    @property
    def had(self) -> Any:
        """The column whose value is recorded for each job: only the id, because being on the list is enough."""
        return Job.id

    def _that(self, have: bool) -> Condition:
        # Counted: databases turn EXISTS and IN into joins, whose cost they cannot estimate for a new tag.
        own = f"SELECT count(*) FROM {self.table} AS own WHERE own.job = job.id AND own.{self.column} = {{}}"
        return WhereRaw(f"({own}) = {int(have)}", self.value)

    def _add(self, where: QueryString) -> QueryString:
        value = typed("{}", "uuid" if isinstance(self.value, UUID) else "text")
        return QueryString(
            f"INSERT INTO {self.table} (id, job, {self.column}) SELECT {{}}, those.id, {value}"
            " FROM ({}) AS those WHERE true ON CONFLICT DO NOTHING",
            new_id(), self.value, where,
        )  # fmt: skip

    def _take(self, where: QueryString) -> QueryString:
        return QueryString(
            # IS TRUE: rows are found by their jobs, not among all rows with this value.
            f"DELETE FROM {self.table}"
            f" WHERE ({self.column} = {{}}) IS TRUE AND job IN (SELECT id FROM ({{}}) AS those)",
            self.value, where,
        )  # fmt: skip


Edit = TrashEdit | OutputEdit | RowEdit


def on_the_list(undo_id: UUID) -> QueryString:
    """Return a query for the jobs that an Undo row lists: the id and the old value of each."""
    return QueryString(
        f"SELECT {typed(json_at('item.value', 0), 'uuid')} AS id, {json_at('item.value', 1)} AS had"
        f" FROM undo, {JSON_EACH}(undo.before) AS item WHERE undo.id = {{}}",
        undo_id,
    )


async def note(undo_id: UUID, where: Condition, had: Any) -> str | None:
    """Record in an Undo row the jobs that match a condition, with their values, and lock them until the commit.

    Returns the recorded list as JSON: [[job id, old value], ...]. Returns None when no job matches.
    """
    chosen = Job.select(Job.id, had.as_alias("had")).where(where).order_by(Job.id, ascending=False)
    listed = f"SELECT {JSON_GROUP_ARRAY}({JSON_ARRAY}(id, had)) FROM ({{}}{LOCK_ROWS}) AS chosen"
    [row] = await Undo.raw(
        f"UPDATE undo SET before = coalesce(({listed}), '[]') WHERE id = {{}} RETURNING before",
        chosen.querystrings[0], undo_id,
    )  # fmt: skip
    return None if row["before"] == "[]" else str(row["before"])


def _touch(where: QueryString, moment: datetime) -> QueryString:
    return QueryString("UPDATE job SET changed_at = {} WHERE id IN (SELECT id FROM ({}) AS those)", moment, where)
