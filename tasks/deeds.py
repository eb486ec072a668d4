"""What tidying does to a portion of jobs at once, in SQL, and how it is taken back.

A deed first notes in an Undo row which jobs it will change and what they have, then changes those that are on this
list. So both are one truth.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.database import DB
from tasks.portions import one_by_one
from tasks.queue import Condition
from tasks.tables import Job, Undo, new_id

THERE = WhereRaw("job.deleted_at IS NULL")
ON_POSTGRES = DB.engine_type == "postgres"
REST_OF_ID = (  # 122 bits of chance, less the time that ids of version 7 begin with: written as Piccolo writes them
    "substr(CAST(gen_random_uuid() AS text), 16)"
    if ON_POSTGRES
    else "lower(substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)
BEGIN_OF_ID = 15  # characters


@dataclass(frozen=True, slots=True)
class Mark:
    """A column of the job gets a value. taken: how PostgreSQL reads what JSON kept of it."""

    column: Any
    value: bool | int | datetime | None
    taken: str

    @property
    def done(self) -> Condition:
        """The jobs that are so already."""
        if self.value is None:
            return WhereRaw(f"job.{self._name} IS NULL")
        return WhereRaw(f"job.{self._name} = {{}}", self.value)

    def undone(self) -> Condition:
        """The jobs that are not."""
        if self.value is None:
            return WhereRaw(f"job.{self._name} IS NOT NULL")
        if isinstance(self.value, datetime):  # whoever has a moment already, has another one
            return WhereRaw(f"job.{self._name} IS NULL")
        return WhereRaw(f"job.{self._name} != {{}}", self.value)

    def do(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """The statements that change the jobs on the list."""
        return [
            QueryString(
                f"UPDATE job SET {self._name} = {{}}, changed_at = {{}} WHERE id IN (SELECT id FROM ({{}}) AS listed)",
                self.value, moment, listed,
            )
        ]  # fmt: skip

    def undo(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """The statements that give those on the list what they had, where they still are as this deed left them.

        The first answers the ids of these.
        """
        had = f"CAST(listed.had AS {self.taken})" if ON_POSTGRES else "listed.had"
        return [
            QueryString(
                # Materialized: SQLite would read the list again for every job.
                f"WITH listed AS MATERIALIZED ({{}}) UPDATE job SET {self._name} = {had}, changed_at = {{}}"
                " FROM listed WHERE job.id = listed.id AND {} RETURNING job.id",
                listed, moment, one_by_one(THERE & self.done).querystring,
            )
        ]  # fmt: skip

    @property
    def had(self) -> Any:
        """What is noted of each job."""
        return self.column

    @property
    def _name(self) -> str:
        return str(self.column._meta.name)


@dataclass(frozen=True, slots=True)
class Row:
    """The job gets a row of its own in another table, or loses it: a tag, a place in a collection."""

    table: str
    column: str
    value: str | UUID
    there: bool

    @property
    def done(self) -> Condition:
        """The jobs that are so already."""
        return self._that(self.there)

    def undone(self) -> Condition:
        """The jobs that are not."""
        return self._that(not self.there)

    def do(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """The statements that change the jobs on the list."""
        return [(self._add if self.there else self._take)(listed), _touch(listed, moment)]

    def undo(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """The statements that give those on the list what they had, where they still are as this deed left them.

        The first answers the ids of these.
        """
        still = QueryString(
            "SELECT job.id FROM job WHERE job.id IN (SELECT id FROM ({}) AS listed) AND {}",
            listed, one_by_one(THERE & self.done).querystring,
        )  # fmt: skip
        # Touched first: afterwards they are not as the deed left them any more.
        touched = QueryString("{} RETURNING id", _touch(still, moment))
        return [touched, (self._take if self.there else self._add)(still)]

    @property
    def had(self) -> Any:
        """What is noted of each job: that it is on the list says enough."""
        return Job.id

    def _that(self, have: bool) -> Condition:
        # Counted: of EXISTS and IN databases make joins, whose cost they cannot tell for a tag that is new.
        own = f"SELECT count(*) FROM {self.table} AS own WHERE own.job = job.id AND own.{self.column} = {{}}"
        return WhereRaw(f"({own}) = {int(have)}", self.value)

    def _add(self, some: QueryString) -> QueryString:
        # Ids by time: indexes grow at their end, where chance would have every portion write nearly all of their pages.
        new_id_ = f"CAST({{}} || {REST_OF_ID} AS uuid)" if ON_POSTGRES else f"{{}} || {REST_OF_ID}"
        return QueryString(
            f"INSERT INTO {self.table} (id, job, {self.column}) SELECT {new_id_}, those.id, {self._typed}"
            " FROM ({}) AS those WHERE true ON CONFLICT DO NOTHING",
            str(new_id())[:BEGIN_OF_ID], self.value, some,
        )  # fmt: skip

    def _take(self, some: QueryString) -> QueryString:
        return QueryString(
            # IS TRUE: by the jobs, not by all that have this value.
            f"DELETE FROM {self.table}"
            f" WHERE ({self.column} = {{}}) IS TRUE AND job IN (SELECT id FROM ({{}}) AS those)",
            self.value, some,
        )  # fmt: skip

    @property
    def _typed(self) -> str:
        """The value in a SELECT, where PostgreSQL cannot tell its type."""
        return f"CAST({{}} AS {'uuid' if isinstance(self.value, UUID) else 'text'})" if ON_POSTGRES else "{}"


Deed = Mark | Row


def on_the_list(undo_id: UUID) -> QueryString:
    """A query for the jobs that an Undo row names: id, and what each had."""
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
    """Have an Undo row name these jobs, with what they have, and lock them until the commit.

    Answers what it has now, as JSON: [[job id, what it had], ...]; None where they are none.
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
