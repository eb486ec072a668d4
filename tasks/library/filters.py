"""Turn searches into conditions on jobs, the same for a gallery page, a bulk action and a live event."""

from collections.abc import Sequence
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db import full_text, ids
from tasks.db.dialect import by_own_index
from tasks.db.full_text import Words
from tasks.db.tables import Condition, Job
from tasks.library.query import META, YES, Search, Term, cost_range, first_moment, moment_after, rating_range

SHOWN = "job.deleted_at IS NULL AND job.trashed_at IS NULL"  # as in the index job_shown
VISIBLE = WhereRaw(SHOWN)
IN_TRASH = WhereRaw(f"job.deleted_at IS NULL AND {by_own_index('trashed_at IS NOT NULL')}")

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
    return but_words(search) & full_text.having(words) if words else but_words(search)


def words_of(search: Search) -> list[Words]:
    """Return the words and phrases that a job must have. The full-text index finds them."""
    return [_words(term) for term in search.terms if not term.field and not term.negated]


def among(search: Search, job_ids: Sequence[UUID]) -> QueryString:
    """Return a query for the ids of the given jobs that a search finds. It looks at few other jobs."""
    words = words_of(search)
    if words and full_text.IN_ORDER_OF_AGE:
        return full_text.select_among(words, job_ids, but_words(search))
    return Job.select(Job.id).where(Job.id.is_in(list(job_ids)) & condition(search)).querystrings[0]


def but_words(search: Search) -> Condition:
    """Return the condition for everything in a search except the words that a job must have."""
    found: Condition = IN_TRASH if search.trash else VISIBLE
    if search.owner is not None:
        found = found & (Job.owner == search.owner)
    others = [term for term in search.terms if (term.field or term.negated) and term.field != "in"]
    return _joined(" AND ", [found, *map(_matches, others)])


def of_status(status: str) -> str:
    """Return the condition for jobs with a status, as in the indexes of the jobs that wait, run, or ended badly."""
    if status in ("failed", "canceled"):
        return f"job.status = '{status}' AND job.status IN ('failed', 'canceled')"
    return by_own_index(f"status = '{status}'") if status in ("queued", "running") else f"job.status = '{status}'"


def _words(term: Term) -> Words:
    return Words(term.values[0], prefix=not term.phrase)


def _matches(term: Term) -> Condition:
    if not term.field:
        return full_text.lacking(_words(term)) if term.negated else full_text.having([_words(term)])
    any_of = _joined(" OR ", [_has(term.field, value) for value in term.values])
    return WhereRaw("NOT coalesce(({}), {})", any_of.querystring, False) if term.negated else any_of


def _joined(operator: str, conditions: Sequence[Condition]) -> Condition:
    """Join conditions with AND or OR in one pair of brackets: SQLite's parser limits how deeply brackets nest."""
    if len(conditions) == 1:
        return conditions[0]
    brackets = f"({operator.join(['({})'] * len(conditions))})"
    return WhereRaw(brackets, *(condition.querystring for condition in conditions))


def _has(field: str, value: str) -> Condition:
    if field.startswith(META):
        pair = "SELECT job FROM job_metadata WHERE name = {} AND value = {}"
        return WhereRaw(f"job.id IN ({pair})", field.removeprefix(META), value)
    match field:
        case "model":
            return _of_model(_containing(value))
        case "status":
            return WhereRaw(of_status(value.lower()))
        case "kind":  # one of a few values: a literal, so that indexes are used
            return WhereRaw(f"job.kind = '{value.lower()}'")
        case "tag":
            return WhereRaw("job.id IN (SELECT job FROM job_tag WHERE name = {})", value.lower())
        case "collection":
            named = "SELECT id FROM collection WHERE lower(name) = {} OR name = {}"  # SQLite's lower() knows ASCII only
            held = f"SELECT job FROM collection_item WHERE collection IN ({named})"
            return WhereRaw(f"job.id IN ({held})", value.lower(), value)
        case "fav":
            return WhereRaw(f"job.favorite = {'true' if value.lower() in YES else 'false'}")
        case "rating":
            return WhereRaw(f"job.rating IN ({', '.join(map(str, rating_range(value))) or 'NULL'})")
        case "seed":
            return WhereRaw("job.seed = {}", int(value))
        case "before":
            return Job.id < ids.first_at(first_moment(value))
        case "after":
            return Job.id >= ids.first_at(first_moment(value))
        case "on":
            return (Job.id >= ids.first_at(first_moment(value))) & (Job.id < ids.first_at(moment_after(value)))
        case "cost":
            least, most = cost_range(value)
            return WhereRaw("job.cost BETWEEN {} AND {}", least, most)
        case "by":
            return WhereRaw("job.owner IN (SELECT id FROM person WHERE name = {})", value.lower())
        case "key":
            return WhereRaw("job.api_key IN (SELECT id FROM api_key WHERE name = {})", value)
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


def _containing(value: str) -> str:
    escaped = value.lower()
    for special in "!%_":
        escaped = escaped.replace(special, f"!{special}")
    return f"%{escaped}%"
