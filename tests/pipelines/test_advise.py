"""The advisor's table and picture."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.plumbing.errors import DONE
from tests.pipelines.nights import DAY, Home, command


def test_the_advisor_prints_a_table_and_draws_it(serving: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("advise", "--day", str(DAY), "--settings", str(serving.file)) == DONE
    picture = Path(capsys.readouterr().out.rpartition("picture: ")[2].strip())
    assert picture == serving.work / "advice" / f"{DAY}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    table = pl.read_parquet(picture.with_suffix(".parquet"))
    assert table["days"].to_list() == [1, 2]
    assert table.filter("best")["recall"].to_list() == [table["recall"].max()]
