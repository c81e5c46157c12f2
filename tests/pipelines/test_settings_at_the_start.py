"""What is wrong in the settings is said before anything is done, with what is known."""

from datetime import date

import pytest

from pipelines.plumbing.errors import BAD_INPUT, BadInputError
from pipelines.plumbing.settings import read_settings
from tests.pipelines.nights import DAY, SMALL, Home, command


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("evaluate", "baselines", ["Markof"], "did you mean Markov?"),
        ("evaluate", "baselines", ["Vocabulary"], "known are Blend, GRU4Rec"),
        ("evaluate", "cutoffs", [0, 20], "expected evaluate.cutoffs of at least 1, got 0"),
        ("tracking", "model", "shop/gru", "expected tracking.model of letters"),
        ("tracking", "model", "shop's", "expected tracking.model of letters"),
        ("tracking", "experiment", "a'b", "expected tracking.experiment of letters"),
        ("tracking", "experiment", "", "expected tracking.experiment of letters"),
        ("gate", "margin", float("inf"), "expected gate.margin from 0 to 1"),
        ("gate", "margin", float("nan"), "expected gate.margin from 0 to 1"),
        ("gate", "max_latency_ms", float("nan"), "expected gate.max_latency_ms"),
        ("gate", "over_baseline", -1, "expected gate.over_baseline of at least 0"),
        ("gate", "resamples", 10**12, "expected gate.resamples of at most 1,000,000"),
        ("gate", "level", 1.0, "expected gate.level"),
        ("window", "days", 10**9, "expected window.days of at most 3,650"),
        ("advise", "windows", [], "expected at least one length"),
        ("work", "folder", " ", "expected work.folder as a path"),
        ("recommend", "sessions", "", "expected recommend.sessions as a path"),
        ("tracking", "where", "", "expected tracking.where as a path"),
        ("schedule", "first_day", date(1, 1, 1), "expected schedule.first_day within 50 years"),
        ("alerts", "command", ["no-such-mailer"], "found none called 'no-such-mailer'"),
        ("schedule", "cron", "at three", "expected schedule.cron as five fields"),
        ("input", "time_zone", "Europe/Berln", "impossible settings in [input]"),
        ("input", "time_unit", "min", "impossible settings in [input]"),
        ("input", "item", " ", "expected input.item as a word"),
        ("model", "class", 5, "expected the recommender's class in [model]"),
        ("model", "class", "GRU4rec", "did you mean GRU4Rec?"),
        ("model", "layer", [8], "did you mean layers?"),
        ("model", "learning_rate", float("nan"), "learning_rate"),
        ("model", "n_epochs", 10**9, "expected model.n_epochs of at most 10,000"),
        ("model", "layers", [10**9], "layers must be sizes of at most 100,000"),
        ("model", "context", ["device"], "expected no context in [model]"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_the_start(
    home: Home, section: str, key: str, value: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home, section, key, value)
    assert command("nightly", "--day", str(DAY), "--settings", str(home.file)) == BAD_INPUT
    assert said in capsys.readouterr().err
    assert not (home.work / "clicks").exists()


def write(home: Home, section: str, key: str, value: object) -> None:
    """The small settings with one that is wrong, which ``configure`` would refuse to read back."""
    number = {"inf": "inf", "nan": "nan"}.get(str(value))
    text = home.file.read_text().splitlines()
    text_of = str(value) if isinstance(value, date) else repr(value)
    line = f"{key} = {number or text_of}".replace("'a'b'", '"a\'b"')
    old = SMALL.get(section, {})
    assert isinstance(old, dict)
    kept = [row for row in text if not row.startswith(f"{key} = ")] if key in old else text
    place = kept.index(f"[{section}]") if f"[{section}]" in kept else len(kept)
    if place == len(kept):
        kept.append(f"[{section}]")
    home.file.write_text("\n".join([*kept[: place + 1], line, *kept[place + 1 :]]))


def test_settings_saved_by_a_windows_editor_are_read(home: Home) -> None:
    home.file.write_text("\ufeff" + home.file.read_text(), encoding="utf-8")
    assert read_settings(home.file).gate.k


def test_no_byte_of_a_path_is_a_zero(home: Home) -> None:
    home.file.write_text('[work]\nfolder = "a\\u0000b"\n')
    with pytest.raises(BadInputError, match=r"expected work\.folder as a path"):
        read_settings(home.file)


@pytest.mark.parametrize("first", ["0001-01-01", "9999-12-31"])
def test_an_impossible_span_of_days_is_refused(
    home: Home, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("backfill", "--first", first, "--last", str(DAY), "--settings", str(home.file))
    assert command(*given) == BAD_INPUT
    assert "expected a span of 1 to" in capsys.readouterr().err
