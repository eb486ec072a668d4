"""Who asks: a person, a key or the open house, and what each may do."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Permission(StrEnum):
    """What an actor may do. Those that a key can have are its scopes, by the same names."""

    SUBMIT = "submit"
    """Submit jobs, and cancel and retry its own."""
    READ = "read"
    """See its own jobs."""
    READ_ALL = "read:all"
    """See everyone's jobs."""
    TIDY = "tidy"
    """Change what is said about jobs: tags, stars, collections, the trash."""
    OPERATE = "operate"
    """See what everyone spends, pause the queue and models, drain workers, and retry what failed."""
    OPERATE_READ = "operate:read"
    """See how everything does, without changing it."""
    MANAGE = "manage"
    """Change people, keys of others, budgets and prices."""
    WEBHOOKS = "webhooks"
    """Have addresses that events are sent to."""
    SIGNED_IN = "signed in"
    """Have an account page: own password, sessions and keys."""


class Role(StrEnum):
    """What a person may do here."""

    VIEWER = "viewer"
    """Sees everything."""
    MEMBER = "member"
    """Sees everything, makes and tidies."""
    ADMIN = "admin"
    """Also manages people, keys and money."""
    SERVICE = "service"
    """Cannot sign in, and has only keys."""


SCOPES = (
    Permission.SUBMIT, Permission.READ, Permission.READ_ALL, Permission.TIDY, Permission.OPERATE,
    Permission.OPERATE_READ,
)  # fmt: skip
"""The permissions that a key can have."""

VIEWS = frozenset({Permission.READ, Permission.READ_ALL, Permission.SIGNED_IN})
MAKES = VIEWS | {Permission.SUBMIT, Permission.TIDY, Permission.WEBHOOKS}
PERMISSIONS = {
    Role.VIEWER: VIEWS,
    Role.MEMBER: MAKES,
    Role.ADMIN: MAKES | {Permission.OPERATE, Permission.OPERATE_READ, Permission.MANAGE},
    Role.SERVICE: frozenset[Permission](),
}
"""What each role may do when it is signed in."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    name: for people, such as "anna" or "anna/ci". person: the owner of what it makes; None for nobody in particular.
    key: the key that it asks with. secret_hash: of the secret that it shows, of the two that a key may have. session:
    the browser's session that it asks in. models: the only models that it may use; None for all.
    """

    name: str
    permissions: frozenset[Permission]
    person: UUID | None = None
    key: UUID | None = None
    secret_hash: str | None = None
    session: UUID | None = None
    models: frozenset[str] | None = None

    def may(self, permission: Permission) -> bool:
        """Return whether it may do this."""
        return permission in self.permissions

    @property
    def sees_only(self) -> UUID | None:
        """The person whose jobs are all that it sees, or None when it sees everyone's."""
        return None if self.may(Permission.READ_ALL) else self.person

    @property
    def sees_spending_of(self) -> UUID | None:
        """The person whose spending is all that it sees, or None when it sees everyone's."""
        return None if self.may(Permission.OPERATE) else self.person


OPEN_HOUSE = Actor("open house", frozenset({*SCOPES, Permission.WEBHOOKS}))
"""Everyone, as long as there is no person."""
SCRAPER = Actor("metrics", frozenset({Permission.OPERATE_READ}))
"""Who shows METRICS_TOKEN, at /metrics."""
STRANGER = Actor("", frozenset())
"""Who has not signed in and sends no key, when there are people."""
