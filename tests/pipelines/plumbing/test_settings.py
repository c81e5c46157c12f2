"""Settings are read strictly, and their paths count from where one expects."""

from pathlib import Path

import pytest

from pipelines.plumbing.errors import BadInputError
from pipelines.plumbing.settings import DEFAULT, Settings, read_settings
from pipelines.stages.train import challenger_of
from recsys_gru import RECOMMENDED, recommended


def read(folder: Path, text: str) -> Settings:
    """The settings of a file of this text."""
    path = folder / "s.toml"
    path.write_text(text)
    return read_settings(path)


def places(settings: Settings) -> tuple[str, str, str]:
    """Where a file's three paths lead."""
    return str(settings.work.folder), settings.input.path, settings.tracking.where


def test_the_default_file_is_complete_and_its_model_possible() -> None:
    challenger_of(read_settings(DEFAULT))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gat]\nk = 20", r"unknown settings \['gat'\] as sections; known are .*gate"),
        ("[gate]\nkk = 20", r"unknown settings \['kk'\] in \[gate\]; known are .*k, level"),
        ("[gate]\nk = 'many'", "expected gate.k as int, got 'many'"),
        ("[gate]\nk = 7", "expected gate.k among evaluate.cutoffs"),
        ("[gate]\nmax_unknown = 2", "expected gate.max_unknown from 0 to 1"),
        ("[train]\nmode = 'hot'", "expected train.mode among full, warm"),
        ("[window]\ndays = 0", "expected window.days of at least 1"),
        ("[input]\npath = 'a.csv'", "day"),
        ("[model]\nlayers = [8]", "expected the recommender's class"),
        ("gate = 3", r"expected \[gate\] as a table"),
        ("[gate", "cannot read the settings"),
    ],
)
def test_an_unknown_or_impossible_setting_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        read(tmp_path, text)


def test_paths_of_a_file_count_from_its_folder_and_those_left_out_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = tuple(str(tmp_path / name) for name in ("work", "landing/{day}.parquet", "mlruns"))
    (tmp_path / "other").mkdir()
    given = read(tmp_path / "other", "[work]\nfolder = 'w'\n[tracking]\nwhere = 'http://a'")
    assert places(given) == (str(tmp_path / "other" / "w"), here[1], "http://a")
    assert places(read_settings(DEFAULT)) == here
    copied = read(tmp_path / "other", DEFAULT.read_text())
    assert places(copied)[0] == str(tmp_path / "other" / "work")
    sent = read(tmp_path / "other", "[recommend]\nsessions = '../open.csv'")
    assert sent.recommend.sessions == str(tmp_path / "open.csv")


def test_the_default_file_counts_from_where_one_stands_also_when_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DEFAULT.parents[1])
    relative = Path("pipelines") / DEFAULT.name
    assert read_settings(relative).work.folder == DEFAULT.parents[1] / "work"
    assert read_settings(relative).file == DEFAULT
    (tmp_path / "link.toml").symlink_to(DEFAULT)
    assert read_settings(tmp_path / "link.toml").work.folder == DEFAULT.parents[1] / "work"


def test_the_nights_begin_with_the_recommended_estimator() -> None:
    assert challenger_of(read_settings(DEFAULT)).parameters() == recommended().parameters()


def test_the_network_of_the_file_is_the_recommended_one(tmp_path: Path) -> None:
    """It stands in comments, to be taken in place of the blend."""
    lines = DEFAULT.read_text().split("[model]", 1)[1].split("[train]", 1)[0].splitlines()
    told = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    model = dict(read(tmp_path, "\n".join(["[model]", *told])).model)
    assert (model.pop("class"), model.pop("seed")) == ("GRU4Rec", 42)
    assert model == RECOMMENDED
