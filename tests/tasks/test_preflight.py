"""The checks before anything starts."""

from pathlib import Path

import pytest

from tasks import preflight
from tasks.settings import Settings, SettingsError

pytestmark = pytest.mark.once


def _settings(tmp_path: Path, storage_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", storage_url=storage_url, database_url=f"sqlite:///{tmp_path}/db.sqlite")


def test_the_folder_of_files_is_not_made_as_it_may_be_one_that_is_not_mounted(tmp_path: Path) -> None:
    preflight.check(_settings(tmp_path, f"{tmp_path}/a/media"))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(("folder", "why"), [("{}/file/media", "Not a directory"), ("/proc", ""), ("/proc/media", "")])
def test_a_folder_that_cannot_be_written_or_made_is_told_with_the_name_of_the_setting(
    folder: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    place = folder.format(tmp_path)
    with pytest.raises(SettingsError, match=rf"^STORAGE_URL: cannot write to the folder {place} \(.*{why}\)$"):
        preflight.check(_settings(tmp_path, place))
