"""The tables of people, their sessions and keys, and the audit."""

from piccolo.columns import JSON, UUID, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from tasks.db import ids


class Person(Table, tablename="person"):
    """A person who shares this Darkroom, or a service that has only keys. Never deleted, so that its jobs keep it."""

    id = UUID(primary_key=True, default=ids.new)
    name = Varchar(length=64, unique=True)  # in lower case
    role = Varchar(length=16)  # see tasks/accounts/actors.py
    password = Text(null=True, default=None)  # argon2id; None until it is set
    link_hash = Varchar(length=64, null=True, default=None, index=True)  # SHA-256 of the link that sets the password
    link_until = Timestamptz(null=True, default=None)
    created_at = Timestamptz()
    disabled_at = Timestamptz(null=True, default=None)


class Session(Table, tablename="session"):
    """A browser in which a person is signed in."""

    id = UUID(primary_key=True, default=ids.new)
    person = ForeignKey(references=Person, index=True)
    token_hash = Varchar(length=64, unique=True)  # SHA-256 of the cookie
    created_at = Timestamptz()
    seen_at = Timestamptz()
    expires_at = Timestamptz()
    agent = Varchar(length=200, default="")  # the browser, as it names itself
    address = Varchar(length=64, default="")  # from where it was last seen


class ApiKey(Table, tablename="api_key"):
    """A key for programs of a person or a service. Its secrets are in ApiSecret: two while it is rotated."""

    id = UUID(primary_key=True, default=ids.new)
    person = ForeignKey(references=Person, index=True)
    name = Varchar(length=64)  # unique among the keys of its person
    scopes = Varchar(length=100)  # separated by spaces, see tasks/accounts/actors.py
    models = JSON(null=True, default=None)  # the only models that it may use; None for all
    created_at = Timestamptz()
    expires_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)


class ApiSecret(Table, tablename="api_secret"):
    """A secret of a key, of which only the hash is known, and enough to recognize it by."""

    hash = Varchar(length=64, primary_key=True)  # SHA-256
    key = ForeignKey(references=ApiKey, index=True)
    prefix = Varchar(length=8)
    last_four = Varchar(length=4)
    created_at = Timestamptz()
    used_at = Timestamptz(null=True, default=None)  # to the minute
    revoked_at = Timestamptz(null=True, default=None)


class SigningKey(Table, tablename="signing_key"):
    """A key that signs what is read without signing in, kept as it is. Where it is removed, nothing signed is valid."""

    name = Varchar(length=16, primary_key=True)  # what it signs, see tasks/accounts/signed_addresses.py
    secret = Varchar(length=64)


class SlowedName(Table, tablename="slowed_name"):
    """A person or an address with failed attempts to sign in: how many, and when the next one is allowed."""

    name = Varchar(length=128, primary_key=True)
    failures = Integer()
    allowed_at = Timestamptz()


class AuditEntry(Table, tablename="audit_entry"):
    """Who changed what about people, keys and money, and who signed in or was refused. Rows are only added."""

    id = UUID(primary_key=True, default=ids.new)
    at = Timestamptz(index=True)
    actor = Varchar(length=200)  # a name, anna/ci for a key, or "command line"
    address = Varchar(length=64, default="")
    action = Varchar(length=64)
    subject = Varchar(length=200)
    before = JSON(null=True, default=None)
    after = JSON(null=True, default=None)


ACCOUNT_TABLES: list[type[Table]] = [Person, Session, ApiKey, ApiSecret, SigningKey, SlowedName, AuditEntry]
