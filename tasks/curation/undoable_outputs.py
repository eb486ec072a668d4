"""The changes of one column of outputs, in SQL, and their undo: see undoable.py.

What a job has of its own follows in the same statements: it is a favorite if any of its outputs is, and its rating is
that of the best; outputs in the trash do not count. The marks of a job without outputs are its own.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db.dialect import ANY_TRUE, JSON_EACH_MEMBER, JSON_GROUP_OBJECT, JSON_OBJECT, typed
from tasks.db.tables import Condition

IN_SIGHT = "output.trashed_at IS NULL"
OF_JOB = "FROM output WHERE output.job = job.id"
WHOLE = -1  # the position under which a job without outputs is recorded
OWN_MARKS = {"favorite": ANY_TRUE, "rating": "max"}
"""The columns of a job that follow those of its outputs, and how."""


@dataclass(frozen=True, slots=True)
class OutputEdit:
    """A deed that sets a column of the outputs that match `which`, in SQL.

    taken: the PostgreSQL type of the old values, which were stored as JSON. whole: whether it is one of the job as
    such: then it leaves alone the jobs that already have the value, and changes those without outputs.
    """

    column: str
    value: bool | int | datetime | None
    taken: str
    which: str = IN_SIGHT
    whole: bool = False

    def undone(self) -> Condition:
        """Return a condition for the jobs that the deed would change."""
        if self.whole:
            return WhereRaw(f"job.{self.column} {self._other}")
        # Counted, for the reason in RowEdit.
        return WhereRaw(f"(SELECT count(*) {OF_JOB} AND {self.which} AND output.{self.column} {self._other}) > 0")

    def do(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """Return the statements that change the outputs of the jobs on the list, and these jobs."""
        value = [self.value] if isinstance(self.value, datetime) else []
        outputs = QueryString(
            f"UPDATE output SET {self.column} = {'{}' if value else self._literal}"
            f" WHERE job IN (SELECT id FROM ({{}}) AS listed) AND {self.which} AND output.{self.column} {self._other}",
            *value, listed,
        )  # fmt: skip
        return [outputs, self._followed(listed, moment)]

    def undo(self, listed: QueryString, moment: datetime) -> list[QueryString]:
        """Return the statements that restore the old values of the outputs that are still as this deed left them.

        The first statement returns the ids of the jobs of which anything is restored.
        """
        still = self._still(listed)
        had = typed("still.had", self.taken)
        touched = QueryString(
            "UPDATE job SET changed_at = {} WHERE id IN (SELECT job FROM ({}) AS still) RETURNING id", moment, still
        )
        own = QueryString(
            f"UPDATE job SET {self.column} = {had} FROM ({{}}) AS still"
            " WHERE job.id = still.job AND still.output IS NULL",
            still,
        )
        outputs = QueryString(
            f"UPDATE output SET {self.column} = {had} FROM ({{}}) AS still WHERE output.id = still.output", still
        )
        return [touched, *([own] if self.whole else []), outputs, self._followed(listed, moment, undone=True)]

    @property
    def had(self) -> Any:
        """What is recorded for each job: the old values of its outputs by position, as a JSON object."""
        several = (
            f"SELECT {JSON_GROUP_OBJECT}(CAST(output.position AS text), output.{self.column})"
            f" {OF_JOB} AND {self.which} AND output.{self.column} {self._other}"
        )
        if not self.whole:
            return QueryString(f"({several})")
        own = f"{JSON_OBJECT}('{WHOLE}', job.{self.column})"
        return QueryString(f"CASE WHEN EXISTS (SELECT 1 {OF_JOB}) THEN ({several}) ELSE {own} END")

    def _still(self, listed: QueryString) -> QueryString:
        """Return a query for what can be restored: the job, the output (NULL for a job without any), and what it had.

        A job that has got its outputs since is restored with all of them.
        """
        recorded = QueryString(
            f"SELECT listed.id AS job, CAST(member.key AS integer) AS position, member.value AS had"
            f" FROM ({{}}) AS listed, {JSON_EACH_MEMBER}({typed('listed.had', 'json')}) AS member",
            listed,
        )
        same, values = (" = {}", [self.value]) if isinstance(self.value, datetime) else (f" {self._same}", [])
        own = f" OR output.id IS NULL AND job.{self.column} {self._same}" if self.whole else ""
        one_stays = (
            " AND EXISTS (SELECT 1 FROM output AS other WHERE other.job = job.id AND other.trashed_at IS NULL"
            " AND other.position NOT IN (SELECT position FROM recorded AS every WHERE every.job = job.id))"
        )
        return QueryString(
            # MATERIALIZED: otherwise SQLite reads the list again for every job.
            "WITH recorded AS MATERIALIZED ({}) SELECT job.id AS job, output.id AS output, recorded.had AS had"
            " FROM recorded JOIN job ON job.id = recorded.job AND job.deleted_at IS NULL LEFT JOIN output"
            f" ON output.job = job.id AND recorded.position IN (output.position, {WHOLE})"
            f" WHERE (output.{self.column}{same}{own}){one_stays if self.value is None else ''}",
            recorded, *values,
        )  # fmt: skip

    def _followed(self, listed: QueryString, moment: datetime, undone: bool = False) -> QueryString:
        """Return the statement that has the jobs' own marks follow those of their outputs."""
        sets = [
            f"{name} = coalesce((SELECT {of_all}(output.{name}) {OF_JOB} AND {IN_SIGHT}),"
            f" {self._literal if self.whole and not undone else f'job.{name}'})"
            for name, of_all in OWN_MARKS.items()
            if self.column in (name, "trashed_at")
        ]
        return QueryString(
            f"UPDATE job SET {', '.join(sets)}, changed_at = {{}} WHERE id IN (SELECT id FROM ({{}}) AS listed)",
            moment, listed,
        )  # fmt: skip

    @property
    def _literal(self) -> str:
        return "NULL" if self.value is None else str(self.value).lower()

    @property
    def _same(self) -> str:
        return "IS NULL" if self.value is None else f"= {self._literal}"

    @property
    def _other(self) -> str:
        if self.value is None:
            return "IS NOT NULL"
        return "IS NULL" if isinstance(self.value, datetime) else f"!= {self._literal}"
