"""The changes that tidying makes to a portion of jobs at once, in SQL, and their undo.

A deed first records in an Undo row which jobs it will change and which values they have. Then it changes the jobs on
this list, so the change and its undo always agree.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db.database import DB
from tasks.db.tables import Condition, Job, Undo, new_id
from tasks.jobs.chunks import one_by_one

NOT_DELETED = WhereRaw("job.deleted_at IS NULL")
ON_POSTGRES = DB.engine_type == "postgres"
# 122 random bits, minus those that the time in a version 7 id replaces; in the form that Piccolo writes.
RANDOM_ID_TAIL = (
    "substr(CAST(gen_random_uuid() AS text), 16)"
    if ON_POSTGRES
    else "lower(substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)
ID_PREFIX_LENGTH = 15  # characters


@dataclass(frozen=True, slots=True)
class ColumnEdit:
    """A deed that sets a column of the job. taken: the PostgreSQL type of the old value, which was stored as JSON."""

    column: Any
    value: bool | int | datetime | None
    taken: str

    @property
    def done(self) -> Condition:
        """A condition for the jobs that already have the value."""
        if self.value is None:
            return WhereRaw(f"job.{self._name} IS NULL")
        return WhereRaw(f"job.{self._name} = {{}}", self.value)

    def undone(self) -> Condition:
        """Return a condition for the jobs that do not have the value."""
        if self.value is None:
            return WhereRaw(f"job.{self._name} IS NOT NULL")
        if isinstance(self.value, datetime):  # a time that a job already has differs, and stays
            return WhereRaw(f"job.{self._name} IS NULL")
        return WhereRaw(f"job.{self._name} != {{}}", self.value)

    def do(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """Return the statements that change the jobs on the list."""
        return [
            QueryString(
                f"UPDATE job SET {self._name} = {{}}, changed_at = {{}} WHERE id IN (SELECT id FROM ({{}}) AS listed)",
                self.value, moment, listed,
            )
        ]  # fmt: skip

    def undo(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """Return the statements that restore the old values of the listed jobs that are still as this deed left them.

        The first statement returns the ids of the restored jobs.
        """
        had = f"CAST(listed.had AS {self.taken})" if ON_POSTGRES else "listed.had"
        return [
            QueryString(
                # MATERIALIZED: otherwise SQLite reads the list again for every job.
                f"WITH listed AS MATERIALIZED ({{}}) UPDATE job SET {self._name} = {had}, changed_at = {{}}"
                " FROM listed WHERE job.id = listed.id AND {} RETURNING job.id",
                listed, moment, one_by_one(NOT_DELETED & self.done).querystring,
            )
        ]  # fmt: skip

    @property
    def had(self) -> Any:
        """The column whose value is recorded for each job."""
        return self.column

    @property
    def _name(self) -> str:
        return str(self.column._meta.name)


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

    def _add(self, some: QueryString) -> QueryString:
        # Ids are ordered by time, so indexes grow at their end. With random ids every portion would write to nearly all
        # of their pages.
        new_id_ = f"CAST({{}} || {RANDOM_ID_TAIL} AS uuid)" if ON_POSTGRES else f"{{}} || {RANDOM_ID_TAIL}"
        return QueryString(
            f"INSERT INTO {self.table} (id, job, {self.column}) SELECT {new_id_}, those.id, {self._typed}"
            " FROM ({}) AS those WHERE true ON CONFLICT DO NOTHING",
            str(new_id())[:ID_PREFIX_LENGTH], self.value, some,
        )  # fmt: skip

    def _take(self, some: QueryString) -> QueryString:
        return QueryString(
            # IS TRUE: rows are found by their jobs, not among all rows with this value.
            f"DELETE FROM {self.table}"
            f" WHERE ({self.column} = {{}}) IS TRUE AND job IN (SELECT id FROM ({{}}) AS those)",
            self.value, some,
        )  # fmt: skip

    @property
    def _typed(self) -> str:
        """The placeholder of the value in a SELECT, where PostgreSQL cannot infer its type."""
        return f"CAST({{}} AS {'uuid' if isinstance(self.value, UUID) else 'text'})" if ON_POSTGRES else "{}"


Edit = ColumnEdit | RowEdit


def on_the_list(undo_id: UUID) -> QueryString:
    """Return a query for the jobs that an Undo row lists: the id and the old value of each."""
    if ON_POSTGRES:
        return QueryString(
            "SELECT CAST(item.value ->> 0 AS uuid) AS id, item.value ->> 1 AS had"
            " FROM undo, json_array_elements(undo.before) AS item (value) WHERE undo.id = {}",
            undo_id,
        )
    return QueryString(
        "SELECT json_extract(item.value, '$[0]') AS id, json_extract(item.value, '$[1]') AS had"
        " FROM undo, json_each(undo.before) AS item WHERE undo.id = {}",
        undo_id,
    )


async def note(undo_id: UUID, some: Condition, had: Any) -> str | None:
    """Record in an Undo row the jobs that match a condition, with their values, and lock them until the commit.

    Returns the recorded list as JSON: [[job id, old value], ...]. Returns None when no job matches.
    """
    chosen = Job.select(Job.id, had.as_alias("had")).where(some).order_by(Job.id, ascending=False)
    if ON_POSTGRES:
        chosen = chosen.lock_rows("NO KEY UPDATE")
    listed = "json_agg(json_build_array(id, had))" if ON_POSTGRES else "json_group_array(json_array(id, had))"
    [row] = await Undo.raw(
        f"UPDATE undo SET before = coalesce((SELECT {listed} FROM ({{}}) AS chosen), '[]') WHERE id = {{}}"
        " RETURNING before",
        chosen.querystrings[0], undo_id,
    )  # fmt: skip
    return None if row["before"] == "[]" else str(row["before"])


def _touch(some: QueryString, moment: datetime) -> QueryString:
    return QueryString("UPDATE job SET changed_at = {} WHERE id IN (SELECT id FROM ({}) AS those)", moment, some)
