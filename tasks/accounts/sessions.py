"""Sessions of people in browsers: begun at sign-in, found by their cookie, prolonged, listed and ended."""

from datetime import timedelta
from uuid import UUID

from tasks.accounts import secrets
from tasks.accounts.actors import PERMISSIONS, Actor, Role
from tasks.db.account_tables import Session
from tasks.db.database import now
from tasks.db.tables import Values

SESSION_DAYS = 30
SEEN_EVERY = timedelta(minutes=5)  # how often a session that is used is prolonged
MAX_AGENT_LENGTH = 200  # characters

FIND = (
    "SELECT session.id AS session, session.seen_at, person.id AS person, person.name, person.role"
    " FROM session JOIN person ON person.id = session.person"
    " WHERE session.token_hash = {} AND session.expires_at > {} AND person.disabled_at IS NULL"
)


async def begin(person_id: UUID, agent: str, address: str) -> str:
    """Begin a session. Returns its token, for the cookie. agent, address: of the browser."""
    token, moment = secrets.new_token(), now()
    await Session.insert(
        Session(
            person=person_id, token_hash=secrets.digest(token), created_at=moment, seen_at=moment,
            expires_at=moment + timedelta(days=SESSION_DAYS), agent=agent[:MAX_AGENT_LENGTH], address=address,
        )
    )  # fmt: skip
    return token


async def find(token: str, address: str) -> Actor | None:
    """Return who is signed in with this token, and prolong the session.

    Returns None when the session has ended, or its person is disabled.
    """
    moment = now()
    rows = await Session.raw(FIND, secrets.digest(token), moment)
    if not rows:
        return None
    [row] = rows
    if moment - row["seen_at"] > SEEN_EVERY:
        until = moment + timedelta(days=SESSION_DAYS)
        changes: Values = {Session.seen_at: moment, Session.expires_at: until, Session.address: address}
        await Session.update(changes).where(Session.id == row["session"])
    return Actor(row["name"], PERMISSIONS[Role(row["role"])], row["person"], session=row["session"])


async def of(person_id: UUID) -> list[Session]:
    """Return the sessions of a person that have not ended, the one seen last first."""
    alive = (Session.person == person_id) & (Session.expires_at > now())
    return await Session.objects().where(alive).order_by(Session.seen_at, ascending=False)


async def end(session_id: UUID, person_id: UUID) -> bool:
    """End a session of a person. Returns False when the person has no such session."""
    own = (Session.id == session_id) & (Session.person == person_id)
    return bool(await Session.delete().where(own).returning(Session.id))


async def sweep() -> None:
    """Delete the sessions that have expired."""
    await Session.delete().where(Session.expires_at <= now())
