"""Stage 6: what to show, from the model that serves, as partitioned Parquet."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..plumbing.errors import BadInputError
from ..plumbing.settings import Settings
from ..plumbing.workshop import Done, Facts, file_digest, stage, sync
from .champion import registry_of
from .promote import promote
from .sessions import TEST, sessions

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Recommender

PART = "part-0.parquet"


def inputs(day: date, settings: Settings) -> list[object]:
    """The decision, and what is asked for."""
    asked = _asked(day, settings)
    given = None if asked is None else file_digest(asked)
    wanted = settings.recommend
    return [promote.key(day, settings), wanted.what, given, wanted.k, wanted.exclude_seen]


def _publish(settings: Settings, done: Done) -> None:
    """Put the lists where their readers look, whole, in place of what the day had before.

    They come to ``recommendations/KIND/day=DAY/model_version=VERSION/``; of a day run again only the newest
    version stays.
    """
    home, version = settings.work.folder / "recommendations", done.facts.get("version")
    for kind in settings.recommend.what if version is not None else ():
        made = done.folder / f"{kind}.parquet"
        place = home / kind / f"day={done.day}" / f"model_version={version}"
        if not (place / PART).exists() or file_digest(place / PART) != file_digest(made):
            place.mkdir(parents=True, exist_ok=True)
            aside = place / f".{PART}.new"
            shutil.copyfile(made, aside)
            sync(aside)
            aside.replace(place / PART)
            sync(place)
        for older in set(place.parent.iterdir()) - {place}:
            shutil.rmtree(older)


@stage("recommend", inputs, sessions, promote, after=_publish)
def recommend(day: date, settings: Settings, folder: Path, data: Done, decision: Done) -> Facts:
    """Write the lists of the model that serves after this day's decision, and publish them."""
    from recsys_gru import errors

    version: int | None = decision.facts["serving"]
    if version is None:
        return {"rows": 0, "why": "no model serves yet"}
    model = registry_of(settings).load(version)
    rows = 0
    for kind in settings.recommend.what:
        asked = _items(model) if kind == "items" else _sessions(day, settings, data)
        try:
            lists = model.recommend(asked, settings.recommend.k, settings.recommend.exclude_seen)
        except errors.InputError as error:  # such as sessions of a file whose ids are of another type
            raise BadInputError(f"cannot recommend for the {kind} that were asked: {error}") from error
        if kind == "items":
            lists = lists.rename({"item_id": "next_item_id"}).rename({"session_id": "item_id"})
        notes = {"day": day.isoformat(), "model_version": str(version)}
        lists.write_parquet(folder / f"{kind}.parquet", metadata=notes)
        rows += lists.height
    return {"rows": rows, "version": version}


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


def _sessions(day: date, settings: Settings, data: Done) -> "pl.DataFrame":
    import polars as pl

    from recsys_gru import check_clicks, read_clicks

    asked = _asked(day, settings)
    if asked is None:
        return pl.read_parquet(data.folder / TEST)
    return check_clicks(read_clicks(asked, **settings.input.columns())).clicks.collect()
