"""Turn searches into conditions on jobs, the same for a gallery page, a bulk action and a live event."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db.database import DB
from tasks.db.tables import Condition, Job
from tasks.library.query import YES, Search, Term, first_moment, moment_after, rating_range

VISIBLE = WhereRaw("job.deleted_at IS NULL AND job.trashed_at IS NULL")  # as in the index job_shown
IN_TRASH = WhereRaw(
    "job.deleted_at IS NULL AND job.trashed_at IS NOT NULL"
    # otherwise SQLite would search all jobs for the few in the trash
    + (" AND job.id IN (SELECT id FROM job WHERE trashed_at IS NOT NULL)" if DB.engine_type == "sqlite" else "")
)

MODEL_NAMES = (  # of models in use: walks the index from one to the next, however many jobs have each
    "WITH RECURSIVE names (model) AS (SELECT min(model) FROM job UNION ALL"
    " SELECT (SELECT min(job.model) FROM job WHERE job.model > names.model) FROM names WHERE names.model IS NOT NULL)"
)
MODELS_IN_USE = f"{MODEL_NAMES} SELECT model FROM names"


def condition(search: Search) -> Condition:
    """Return the condition for the jobs that a search finds.

    Permanently deleted jobs are never found. Jobs in the trash are found only by a search of the trash.
    """
    words = words_of(search)
    return but_words(search) & with_words(*words) if words else but_words(search)


def words_of(search: Search) -> list[Term]:
    """Return the words and phrases that a job must have. The full-text index finds them."""
    return [term for term in search.terms if not term.field and not term.negated]


def among(search: Search, job_ids: Sequence[UUID]) -> QueryString:
    """Return a query that selects the ids of the given jobs that a search finds. It looks at few other jobs.

    SQLite reads its full-text index only from the first to the last given job: jobs that change are mostly new
    ones, at the end of the index.
    """
    words = words_of(search)
    if not words or DB.engine_type == "postgres":
        return Job.select(Job.id).where(Job.id.is_in(list(job_ids)) & condition(search)).querystrings[0]
    these = QueryString(", ".join(["{}"] * len(job_ids)), *job_ids)
    return QueryString(
        "SELECT job.id FROM job_search CROSS JOIN job_words ON job_words.number = job_search.rowid"
        " CROSS JOIN job ON job.id = job_words.job WHERE job_search MATCH {}"
        " AND job_search.rowid >= (SELECT min(number) FROM job_words WHERE job IN ({}))"
        " AND job_search.rowid <= (SELECT max(number) FROM job_words WHERE job IN ({}))"
        " AND job_words.job IN ({}) AND {}",
        words_query(*words), these, these, these, but_words(search).querystring,
    )  # fmt: skip


def but_words(search: Search) -> Condition:
    """Return the condition for everything in a search except the words that a job must have."""
    found: Condition = IN_TRASH if search.trash else VISIBLE
    others = [term for term in search.terms if (term.field or term.negated) and term.field != "in"]
    return _joined(" AND ", [found, *map(_matches, others)])


def with_words(*terms: Term, beyond: QueryString | None = None) -> Condition:
    """Return the condition for the jobs that have all these words.

    beyond: a condition on `job_words.job` that excludes some of the jobs early.
    """
    if DB.engine_type == "postgres":
        matching, values = f"SELECT job FROM job_words WHERE words @@ {_tsquery(*terms)}", []
    else:
        matching, values = (
            (
                "SELECT job_words.job FROM job_search JOIN job_words ON job_words.number = job_search.rowid"
                " WHERE job_search MATCH {}"
            ),
            [words_query(*terms)],
        )
    if beyond is None:
        return WhereRaw(f"job.id IN ({matching})", *values)
    return WhereRaw(f"job.id IN ({matching} AND {{}})", *values, beyond)


def words_query(*terms: Term) -> str:
    """Return the query for all these words and phrases in the language of this database's full-text index."""
    if DB.engine_type == "postgres":
        escaped = [term.values[0].replace("\\", "\\\\").replace("'", "''") for term in terms]
        return " & ".join(f"'{text}'{'' if term.phrase else ':*'}" for text, term in zip(escaped, terms, strict=True))
    escaped = [term.values[0].replace('"', '""') for term in terms]
    return " AND ".join(f'"{text}"{"" if term.phrase else " *"}' for text, term in zip(escaped, terms, strict=True))


def id_at(moment: datetime) -> UUID:
    """Return the least id that a job submitted at this moment can have: UUIDs of version 7 begin with the time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def moment_of(job_id: UUID) -> datetime:
    """Return when a job was submitted, to the millisecond, according to its id."""
    return datetime.fromtimestamp((job_id.int >> 80) / 1000, UTC)


def _without_words(term: Term) -> Condition:
    """Return the condition for the jobs without this word or phrase.

    On PostgreSQL each job that the walk passes is checked, so that the jobs with the word are not all collected first.
    """
    if DB.engine_type == "postgres":
        has = f"SELECT 1 FROM job_words WHERE job_words.job = job.id AND words @@ {_tsquery(term)}"
        return WhereRaw(f"NOT EXISTS ({has})")
    return WhereRaw("NOT ({})", with_words(term).querystring)


def _tsquery(*terms: Term) -> str:
    """Return the full-text query as a literal.

    Plans made once for all words take rare words for common ones, and walk through the whole library. Braces, even
    doubled ones, are escaped: Piccolo 1.38 takes each for the placeholder of a value.
    """
    text = words_query(*terms).replace("\\", "\\\\").replace("'", "''").replace("{", r"\x7b").replace("}", r"\x7d")
    return f"to_tsquery('simple', without_accents(E'{text}'))"


def _matches(term: Term) -> Condition:
    if term.negated and not term.field:
        return _without_words(term)
    any_of = _joined(" OR ", [_has(term.field, value) for value in term.values]) if term.field else with_words(term)
    return WhereRaw("NOT coalesce(({}), {})", any_of.querystring, False) if term.negated else any_of


def _joined(operator: str, conditions: Sequence[Condition]) -> Condition:
    """Join conditions with AND or OR in one pair of brackets: SQLite's parser limits how deeply brackets nest."""
    if len(conditions) == 1:
        return conditions[0]
    brackets = f"({operator.join(['({})'] * len(conditions))})"
    return WhereRaw(brackets, *(condition.querystring for condition in conditions))


def _has(field: str, value: str) -> Condition:
    match field:
        case "model":
            return _of_model(_containing(value))
        case "status":
            return WhereRaw(_status(value.lower()))
        case "kind":  # one of a few values: a literal, so that indexes are used
            return WhereRaw(f"job.kind = '{value.lower()}'")
        case "tag":
            return WhereRaw("job.id IN (SELECT job FROM job_tag WHERE name = {})", value.lower())
        case "collection":
            named = "SELECT id FROM collection WHERE lower(name) = {} OR name = {}"  # SQLite's lower() knows ASCII only
            held = f"SELECT job FROM collection_item WHERE collection IN ({named})"
            return WhereRaw(f"job.id IN ({held})", value.lower(), value)
        case "fav":
            return WhereRaw(f"job.favourite = {'true' if value.lower() in YES else 'false'}")
        case "rating":
            return WhereRaw(f"job.rating IN ({', '.join(map(str, rating_range(value))) or 'NULL'})")
        case "seed":
            return WhereRaw("job.seed = {}", int(value))
        case "before":
            return Job.id < id_at(first_moment(value))
        case "after":
            return Job.id >= id_at(first_moment(value))
        case "on":
            return (Job.id >= id_at(first_moment(value))) & (Job.id < id_at(moment_after(value)))
        case "batch":
            return WhereRaw("job.batch = {}", UUID(value))
        case "from":
            return WhereRaw("job.made_from = {}", UUID(value))
    raise ValueError(f"unknown field: {field}")


def _of_model(pattern: str) -> Condition:
    """Return the condition for the jobs of models whose names match a LIKE pattern.

    It also limits the jobs to those between the oldest and the newest job of such models, so that no walk goes further:
    most models are used only for a while, or never existed.
    """
    like = "names WHERE lower(model) LIKE {} ESCAPE '!'"
    one = "SELECT other.id FROM job other WHERE other.model = names.model ORDER BY other.id"
    oldest = f"{MODEL_NAMES} SELECT ({one} LIMIT 1) AS one FROM {like} ORDER BY one LIMIT 1"
    newest = f"{MODEL_NAMES} SELECT ({one} DESC LIMIT 1) AS one FROM {like} ORDER BY one DESC LIMIT 1"
    return WhereRaw(
        f"job.model IN ({MODEL_NAMES} SELECT model FROM {like}) AND job.id >= ({oldest}) AND job.id <= ({newest})",
        pattern, pattern, pattern,
    )  # fmt: skip


def _status(status: str) -> str:
    """Return the condition for a status, as in the indexes of the jobs that wait, run, or ended badly."""
    if status in ("failed", "canceled"):
        return f"job.status = '{status}' AND job.status IN ('failed', 'canceled')"
    if status in ("queued", "running") and DB.engine_type == "sqlite":  # otherwise it would walk all jobs by id
        return f"job.id IN (SELECT id FROM job WHERE status = '{status}')"
    return f"job.status = '{status}'"


def _containing(value: str) -> str:
    escaped = value.lower()
    for special in "!%_":
        escaped = escaped.replace(special, f"!{special}")
    return f"%{escaped}%"
