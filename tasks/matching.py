"""Searches as conditions on jobs: the same for a page of the gallery, for a bulk action and for a live event."""

from datetime import datetime
from functools import reduce
from operator import and_, or_
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.database import DB
from tasks.queue import Condition
from tasks.search import YES, Search, Term, first_moment, moment_after, rating_range
from tasks.tables import Job

SHOWN = WhereRaw("job.deleted_at IS NULL AND job.trashed_at IS NULL")  # as the index job_shown has it
IN_TRASH = WhereRaw("job.deleted_at IS NULL AND job.trashed_at IS NOT NULL")

MODELS_IN_USE = (  # from one name to the next along the index, however many jobs have each
    "WITH RECURSIVE names (model) AS (SELECT min(model) FROM job UNION ALL"
    " SELECT (SELECT min(job.model) FROM job WHERE job.model > names.model) FROM names WHERE names.model IS NOT NULL)"
    " SELECT model FROM names"
)


def condition(search: Search) -> Condition:
    """The jobs that a search finds. What is deleted for good is never found; what is in the trash only there."""
    found: Condition = IN_TRASH if search.trash else SHOWN
    words = [term for term in search.terms if not term.field and not term.negated]
    others = [term for term in search.terms if term not in words and term.field != "in"]
    return reduce(and_, [*([_with_words(*words)] if words else []), *map(_matches, others)], found)


def words_query(*terms: Term) -> str:
    """Words and phrases, all of which must be there, in the language of this database's full-text index."""
    if DB.engine_type == "postgres":
        escaped = [term.values[0].replace("\\", "\\\\").replace("'", "''") for term in terms]
        return " & ".join(f"'{text}'{'' if term.phrase else ':*'}" for text, term in zip(escaped, terms, strict=True))
    escaped = [term.values[0].replace('"', '""') for term in terms]
    return " AND ".join(f'"{text}"{"" if term.phrase else " *"}' for text, term in zip(escaped, terms, strict=True))


def id_at(moment: datetime) -> UUID:
    """The least id that a job submitted at this moment can have: ids of version 7 begin with the time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _with_words(*terms: Term) -> Condition:
    if DB.engine_type == "postgres":
        matching = "SELECT job FROM job_words WHERE words @@ to_tsquery('simple', without_accents({}))"
    else:
        matching = (
            "SELECT job_words.job FROM job_search JOIN job_words ON job_words.number = job_search.rowid"
            " WHERE job_search MATCH {}"
        )
    return WhereRaw(f"job.id IN ({matching})", words_query(*terms))


def _matches(term: Term) -> Condition:
    any_of = reduce(or_, [_has(term.field, value) for value in term.values]) if term.field else _with_words(term)
    return WhereRaw("NOT coalesce(({}), {})", any_of.querystring, False) if term.negated else any_of


def _has(field: str, value: str) -> Condition:
    match field:
        case "model":
            return WhereRaw(
                f"job.model IN ({MODELS_IN_USE} WHERE lower(model) LIKE {{}} ESCAPE '!')", _containing(value)
            )
        case "status" | "kind":
            return WhereRaw(f"job.{field} = '{value.lower()}'")  # one of a few: a literal, so that indexes are found
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
    raise ValueError(f"a field that nobody can match: {field}")


def _containing(value: str) -> str:
    escaped = value.lower()
    for special in "!%_":
        escaped = escaped.replace(special, f"!{special}")
    return f"%{escaped}%"
