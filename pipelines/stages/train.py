"""Stage 3: a challenger is trained, from nothing or from the champion."""

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import recsys_gru

from ..plumbing.bounds import did_you_mean, require_bounds
from ..plumbing.errors import BadInputError
from ..plumbing.events import say
from ..plumbing.items import file_of, items_of, usable_items
from ..plumbing.settings import Settings
from ..plumbing.workshop import Done, Facts, stage
from .champion import day_of, registry_of, rival
from .day_run import DATA
from .sessions import TRAIN, sessions

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Recommender

MODEL = "model"


def inputs(day: date, settings: Settings) -> list[object]:
    """The sessions, the model's settings, and for a warm start its base. Not what the items file holds: a
    night takes it as it is when it trains, and a decision stands when the file changes."""
    known = [settings.items] if settings.items.path else []
    return [sessions.key(day, settings), settings.model, settings.train, _base(day, settings), *known]


@stage("train", inputs, sessions)
def train(day: date, settings: Settings, folder: Path, data: Done) -> Facts:
    """Train a challenger; a training that was killed goes on from its last checkpoint.

    Raises:
        BadInputError: if the model's settings are impossible.
    """
    notes = folder.with_suffix(".checkpoint")  # beside the folder, which is emptied at the next start
    try:
        model, base = _noted(day, settings, folder, data, notes)
    except recsys_gru.errors.CheckpointError as error:
        say("checkpoint set aside, training from the start", why=str(error))
        for place in (notes, folder):
            shutil.rmtree(place, ignore_errors=True)
        folder.mkdir()
        model, base = _noted(day, settings, folder, data, notes)
    history = vars(model).get("history_", ())
    told: Facts = {"loss": history[-1].loss} if history else {}
    if settings.items.path:
        told["items_no_click_is_on"] = int((model.vocabulary_.support == 0).sum())
    return {"items": len(model.vocabulary_), "epochs": len(history), "base": base, **told}


def load(settings: Settings, trained: Done) -> "Recommender":
    """The model that was trained."""
    return type(challenger_of(settings)).load(trained.folder / MODEL)


def new_model(
    name: str, parameters: dict[str, Any] | None = None, place: str = "model.class"
) -> "Recommender":
    """An untrained recommender of a class by name.

    Raises:
        BadInputError: if there is no such class, or it does not take the parameters.
    """
    kind = getattr(recsys_gru, name, None) if name in recsys_gru.__all__ else None
    if not (isinstance(kind, type) and issubclass(kind, recsys_gru.Recommender)):
        known = _recommenders()
        raise BadInputError(
            f"expected the name of a recommender in {place}, got {name!r}{did_you_mean(str(name), known)}; "
            f"known are {', '.join(known)}"
        )
    given = {key: tuple(v) if isinstance(v, list) else v for key, v in (parameters or {}).items()}
    try:
        model = kind(**given)
        if isinstance(model, recsys_gru.GRU4Rec):
            model.settings()
    except (TypeError, recsys_gru.errors.ParameterError) as error:
        import inspect

        known = list(inspect.signature(kind).parameters)
        near = "".join(did_you_mean(word, known) for word in sorted(set(given) - set(known))[:1])
        raise BadInputError(
            f"impossible settings in [model]: {error}{near}; {name} knows {', '.join(known)}"
        ) from error
    return model


def challenger_of(settings: Settings) -> "Recommender":
    """The untrained model of the settings."""
    given = {name: value for name, value in settings.model.items() if name != "class"}
    model = new_model(settings.model["class"], given)
    require_bounds("model", given)
    if given.get("context"):
        raise BadInputError(
            f"expected no context in [model], got {given['context']}: the nights read session, item and time "
            "alone"
        )
    return model


def require_possible(settings: Settings) -> None:
    """Make what the settings ask for, untrained: the challenger and the baselines.

    Raises:
        BadInputError: if there is no such class, or it does not take the parameters.
    """
    model = challenger_of(settings)
    if settings.items.path and not isinstance(model, recsys_gru.GRU4Rec):
        raise BadInputError(
            "expected class = 'GRU4Rec' in [model], as [items] tells facts: "
            f"{type(model).__name__} learns from clicks alone. Leave items.path out, or take the network"
        )
    for name in settings.evaluate.baselines:
        new_model(name, place="evaluate.baselines")


def _recommenders() -> list[str]:
    """The names of all recommenders that can be made."""
    import inspect

    made = {name: getattr(recsys_gru, name) for name in recsys_gru.__all__ if name[0].isupper()}
    return sorted(
        name
        for name, kind in made.items()
        if isinstance(kind, type)
        and issubclass(kind, recsys_gru.Recommender)
        and not inspect.isabstract(kind)
    )


def _base(day: date, settings: Settings) -> int | None:
    """The version that a warm start goes on from: the rival, if it learned from earlier days only."""
    if settings.train.mode == "full":
        return None
    version = rival(day, settings)
    last = None if version is None else day_of(settings, version)
    return version if last is not None and settings.first_day(day) < last < day else None


def _noted(
    day: date, settings: Settings, folder: Path, data: Done, notes: Path
) -> "tuple[Recommender, int | None]":
    """The trained model and its base; the notebook of the fit, told to the run later, keeps the model."""
    import polars as pl

    from recsys_gru.tracking import noting

    train_set = pl.read_parquet(data.folder / TRAIN)
    base = _base(day, settings)
    with noting(folder, DATA):
        if base is None:
            return _from_nothing(day, settings, train_set, notes), None
        return _from_champion(day, settings, train_set, base), base


def _from_nothing(day: date, settings: Settings, train_set: "pl.DataFrame", notes: Path) -> "Recommender":
    model = challenger_of(settings)
    if not isinstance(model, recsys_gru.GRU4Rec):
        return model.fit(train_set)
    every, items = settings.train.checkpoint_every, items_of(day, settings)
    with usable_items(day, settings):
        return model.fit(train_set, items=items, checkpoint_dir=notes, checkpoint_every=every)


def _from_champion(day: date, settings: Settings, train_set: "pl.DataFrame", base: int) -> "Recommender":
    """Go on with the clicks that the champion has not learned from: it was tested on its own day."""
    import polars as pl

    model, last = registry_of(settings).load(base), day_of(settings, base)
    if not isinstance(model, recsys_gru.GRU4Rec | recsys_gru.Blend):
        raise BadInputError(
            f"train.mode = 'warm' needs a GRU4Rec or a Blend as champion, got {type(model).__name__}"
        )
    if (file := file_of(day, settings)) is not None and isinstance(model, recsys_gru.GRU4Rec):
        with usable_items(day, settings):
            model.add_items(file)  # first: a new item's row of its own is learned beside those of its facts
    newer = train_set.filter(pl.col("time").dt.date().is_between(last or day, day - timedelta(days=1)))
    return model.partial_fit(newer, n_epochs=settings.train.warm_epochs)
