from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from tasks.tables import Job

ID = "2026-11-25T22:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Full-text search, indexes for the gallery, and what is known of the jobs that are there"

INDEXES = (
    "CREATE INDEX job_shown ON job (id) WHERE deleted_at IS NULL AND trashed_at IS NULL",
    "CREATE INDEX job_trashed ON job (trashed_at, id) WHERE trashed_at IS NOT NULL",
    "CREATE INDEX job_ended_badly ON job (status, id) WHERE status IN ('failed', 'canceled')",
    "CREATE INDEX job_model ON job (model, id)",
    "CREATE INDEX job_kind ON job (kind, id)",
    "CREATE INDEX job_seed ON job (seed) WHERE seed IS NOT NULL",
    "CREATE INDEX job_batch ON job (batch, batch_place) WHERE batch IS NOT NULL",
    "CREATE INDEX job_made_from ON job (made_from) WHERE made_from IS NOT NULL",
    "CREATE INDEX job_favourite ON job (favourite, id)",
    "CREATE INDEX job_rated ON job (rating, id) WHERE rating > 0",
    "CREATE INDEX output_key ON output (key)",
    "CREATE UNIQUE INDEX job_tag_once ON job_tag (name, job)",
    "CREATE UNIQUE INDEX collection_item_once ON collection_item (collection, job)",
)
KINDS = "UPDATE job SET kind = (SELECT output.kind FROM output WHERE output.job = job.id AND output.position = 0)"
LAST_INPUT = "FROM attempt WHERE attempt.job = job.id ORDER BY attempt.number DESC LIMIT 1"

# A row of job_words for each job, in the order in which they came: `number` is where the full-text index points.
ON_SQLITE = (
    f"UPDATE job SET seed = (SELECT json_extract(attempt.input, '$.seed') {LAST_INPUT})",
    "CREATE TABLE job_words (number INTEGER PRIMARY KEY, job UUID NOT NULL UNIQUE, words TEXT NOT NULL)",
    "CREATE VIRTUAL TABLE job_search USING fts5("
    "words, content='job_words', content_rowid='number', prefix='2 3', tokenize='unicode61 remove_diacritics 2')",
    "CREATE TRIGGER job_words_new AFTER INSERT ON job_words BEGIN"
    " INSERT INTO job_search (rowid, words) VALUES (new.number, new.words); END",
    "CREATE TRIGGER job_words_other AFTER UPDATE ON job_words BEGIN"
    " INSERT INTO job_search (job_search, rowid, words) VALUES ('delete', old.number, old.words);"
    " INSERT INTO job_search (rowid, words) VALUES (new.number, new.words); END",
    "CREATE TRIGGER job_words_gone AFTER DELETE ON job_words BEGIN"
    " INSERT INTO job_search (job_search, rowid, words) VALUES ('delete', old.number, old.words); END",
    "INSERT INTO job_words (job, words) SELECT id, prompt FROM job ORDER BY id",
    "CREATE TRIGGER job_new AFTER INSERT ON job BEGIN"
    " INSERT INTO job_words (job, words) VALUES (new.id, new.prompt || ' ' || new.notes); END",
    "CREATE TRIGGER job_reworded AFTER UPDATE OF prompt, notes ON job BEGIN"
    " UPDATE job_words SET words = new.prompt || ' ' || new.notes WHERE job = new.id; END",
    "CREATE TRIGGER job_gone AFTER DELETE ON job BEGIN DELETE FROM job_words WHERE job = old.id; END",
)

# Accents are left out, as SQLite's tokenizer leaves them out: what is searched for goes through the same function.
ON_POSTGRES = (
    f"UPDATE job SET seed = (SELECT CASE WHEN attempt.input ->> 'seed' ~ '^[0-9]+$' THEN (attempt.input ->> 'seed')::bigint END {LAST_INPUT})",
    "CREATE FUNCTION without_accents(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS"
    r" $$ SELECT regexp_replace(normalize($1, NFD), '[\u0300-\u036f]', '', 'g') $$",
    "CREATE TABLE job_words (number bigserial PRIMARY KEY, job uuid NOT NULL UNIQUE, words tsvector NOT NULL)",
    "CREATE INDEX job_search ON job_words USING gin (words)",
    "INSERT INTO job_words (job, words) SELECT id, to_tsvector('simple', without_accents(prompt)) FROM job ORDER BY id",
    "CREATE FUNCTION keep_job_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " IF TG_OP = 'DELETE' THEN DELETE FROM job_words WHERE job = old.id; RETURN old; END IF;"
    " INSERT INTO job_words (job, words)"
    " VALUES (new.id, to_tsvector('simple', without_accents(new.prompt || ' ' || new.notes)))"
    " ON CONFLICT (job) DO UPDATE SET words = excluded.words; RETURN new; END $$",
    "CREATE TRIGGER job_reworded AFTER INSERT OR DELETE OR UPDATE OF prompt, notes ON job"
    " FOR EACH ROW EXECUTE FUNCTION keep_job_words()",
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="darkroom", description=DESCRIPTION)
    on_postgres = Job._meta.db.engine_type == "postgres"

    async def run():
        for statement in (KINDS, *(ON_POSTGRES if on_postgres else ON_SQLITE), *INDEXES):
            await Job.raw(statement)

    async def run_backwards():
        for statement in INDEXES:
            await Job.raw(f"DROP INDEX {statement.removeprefix('CREATE ').removeprefix('UNIQUE ').split()[1]}")
        if on_postgres:
            await Job.raw("DROP TRIGGER job_reworded ON job")
            await Job.raw("DROP FUNCTION keep_job_words")
        else:
            for trigger in ("job_new", "job_reworded", "job_gone"):
                await Job.raw(f"DROP TRIGGER {trigger}")
            await Job.raw("DROP TABLE job_search")
        await Job.raw("DROP TABLE job_words")
        if on_postgres:
            await Job.raw("DROP FUNCTION without_accents")

    manager.add_raw(run)
    manager.add_raw_backwards(run_backwards)
    return manager
