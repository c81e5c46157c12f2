"""Stage 6: what to show, from the model that serves, as partitioned Parquet."""

import json
import shutil
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..plumbing.errors import BadInputError
from ..plumbing.settings import Settings
from ..plumbing.workshop import Done, Facts, file_digest, results, stage, write_whole
from .champion import registry_of, serving
from .promote import promote
from .sessions import TEST, sessions

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Recommender

PART, CURRENT = "part-0.parquet", "current.json"
DAY, VERSION = "day=", "model_version="


def inputs(day: date, settings: Settings) -> list[object]:
    """The decision, the version that serves, and what is asked for."""
    asked = _asked(day, settings)
    given = None if asked is None else file_digest(asked)
    wanted = settings.recommend
    version = serving(settings)
    return [promote.key(day, settings), version, wanted.what, given, wanted.k, wanted.exclude_seen]


def _publish(settings: Settings, done: Done) -> None:
    version = done.facts.get("version")
    if version is not None:
        publish(settings, done.day, version, done.folder)


@stage("recommend", inputs, sessions, promote, after=_publish)
def recommend(day: date, settings: Settings, folder: Path, data: Done, _decision: Done) -> Facts:
    """Write the lists of the model that serves, and publish them."""
    version = serving(settings)
    if version is None:
        return {"rows": 0, "why": "no model serves yet"}
    return {"rows": write_lists(day, settings, version, folder, data), "version": version}


def write_lists(day: date, settings: Settings, version: int, folder: Path, data: Done | None) -> int:
    """Write a version's lists for a day into a folder; returns how many rows they have.

    Args:
        data: the day's sessions, if they are still there.

    Raises:
        BadInputError: if there are no sessions to recommend for, or they cannot be used.
    """
    model = registry_of(settings).load(version)
    test = None if data is None else data.folder / TEST
    return lists_of(model, day, settings, folder, test, {"model_version": str(version)})


def lists_of(
    model: "Recommender",
    day: date,
    settings: Settings,
    folder: Path,
    test: Path | None,
    notes: dict[str, str],
) -> int:
    """Write a model's lists for a day into a folder; returns how many rows they have.

    Args:
        test: the file of the sessions to recommend for, if the settings name none.

    Raises:
        BadInputError: if there are no sessions to recommend for, or they cannot be used.
    """
    from recsys_gru import errors

    rows = 0
    for kind in settings.recommend.what:
        asked = _items(model) if kind == "items" else _sessions(day, settings, test)
        try:
            lists = model.recommend(asked, settings.recommend.k, settings.recommend.exclude_seen)
        except errors.InputError as error:  # such as sessions of a file whose ids are of another type
            raise BadInputError(f"cannot recommend for the {kind} that were asked: {error}") from error
        if kind == "items":
            lists = lists.rename({"item_id": "next_item_id"}).rename({"session_id": "item_id"})
        lists.write_parquet(folder / f"{kind}.parquet", metadata={"day": day.isoformat(), **notes})
        rows += lists.height
    return rows


def publish(settings: Settings, day: date, version: int, made: Path) -> None:
    """Put the lists where their readers look, whole, in place of what the day had before.

    They come to ``recommendations/KIND/day=DAY/model_version=VERSION/``; of a day only the lists of the
    newest writing stay. ``recommendations/current.json`` then says which lists are to be shown.
    """
    from recsys_gru.files import sync

    home = _home(settings)
    for kind in settings.recommend.what:
        place = home / kind / f"{DAY}{day}" / f"{VERSION}{version}"
        fresh = made / f"{kind}.parquet"
        if not (place / PART).exists() or file_digest(place / PART) != file_digest(fresh):
            place.mkdir(parents=True, exist_ok=True)
            aside = place / f".{PART}.new"
            shutil.copyfile(fresh, aside)
            sync(aside)
            aside.replace(place / PART)
            sync(place)
    _point(settings, version)
    for kind in settings.recommend.what:
        for older in set((home / kind / f"{DAY}{day}").iterdir()):
            if older.name != f"{VERSION}{version}":
                shutil.rmtree(older)


def replace_lists(settings: Settings) -> date | None:
    """Write the newest day's lists anew with the version that serves; returns the day, if there is one."""
    version, days = serving(settings), _published(settings)
    if version is None or not days:
        return None
    day = days[-1]
    data = results(settings, day, "sessions")
    with tempfile.TemporaryDirectory() as folder:
        write_lists(day, settings, version, Path(folder), data[-1] if data else None)
        publish(settings, day, version, Path(folder))
    return day


def _point(settings: Settings, version: int) -> None:
    """Say in one small file, renamed into place, which lists are to be shown: the version's newest."""
    pointers = {}
    for kind in settings.recommend.what:
        found = (_home(settings) / kind).glob(f"{DAY}*/{VERSION}{version}/{PART}")
        path = max(found, key=lambda part: part.parent.parent.name)
        day = path.parent.parent.name.removeprefix(DAY)
        where = path.relative_to(_home(settings)).as_posix()
        pointers[kind] = {"day": day, "model_version": version, "path": where}
    text = json.dumps(pointers, indent=1)
    place = _home(settings) / CURRENT
    if not place.exists() or place.read_text(encoding="utf-8") != text:
        write_whole(place, text)


def _published(settings: Settings) -> list[date]:
    """The days that have lists of each kind, in order."""
    kinds = [_home(settings) / kind for kind in settings.recommend.what]
    days = [{path.parent.parent.name for path in kind.glob(f"{DAY}*/{VERSION}*/{PART}")} for kind in kinds]
    return sorted(
        date.fromisoformat(day.removeprefix(DAY)) for day in (set.intersection(*days) if days else ())
    )


def _home(settings: Settings) -> Path:
    return settings.work.folder / "recommendations"


def _asked(day: date, settings: Settings) -> Path | None:
    """The file of sessions that lists are asked for, if they are not the day's own."""
    if settings.recommend.sessions is None or "sessions" not in settings.recommend.what:
        return None
    path = Path(settings.recommend.sessions.replace("{day}", day.isoformat()))
    if not path.is_file():
        raise BadInputError(f"expected the sessions to recommend for in {path}, there is no such file")
    return path


def _items(model: "Recommender") -> "pl.DataFrame":
    """A session of one click for every item of the catalogue."""
    import polars as pl

    ids = model.vocabulary_.ids
    moment = pl.lit(datetime(1970, 1, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({"session_id": ids, "item_id": ids}).with_columns(time=moment)


def _sessions(day: date, settings: Settings, test: Path | None) -> "pl.DataFrame":
    import polars as pl

    from recsys_gru import check_clicks, read_clicks

    asked = _asked(day, settings)
    if asked is not None:
        return check_clicks(read_clicks(asked, **settings.input.columns())).clicks.collect()
    if test is None:
        raise BadInputError(
            f"the sessions of {day} are gone: run `{settings.command(f'nightly --day {day}')}`"
        )
    return pl.read_parquet(test)
