"""The reference's settings, from the environment."""

from pathlib import Path

from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    """database_url, broker_url: as SQLAlchemy and Celery take them. media: the folder of finished files."""

    database_url: str
    broker_url: str
    replicate_api_url: str
    replicate_api_token: str = "none"
    media: Path
    default_model: str = (
        "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"  # the API wants a version
    )
    poll_seconds: float = 0.5


settings = Settings()
