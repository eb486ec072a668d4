"""The reference's settings, from the environment."""

from pathlib import Path

from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    """The reference's settings.

    database_url, broker_url: in the form that SQLAlchemy and Celery take. media: the folder of finished files.
    """

    database_url: str
    broker_url: str
    replicate_api_url: str
    replicate_api_token: str = "none"
    media: Path
    default_model: str = (
        "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"  # the API needs a version
    )
    poll_seconds: float = 0.5


settings = Settings()
