"""Training on a prepared folder, whose arrays are mapped into memory."""

from datetime import timedelta
from pathlib import Path

import numpy as np

from recsys_gru import GRU4Rec
from recsys_gru.clicks import Recipe, check_clicks, generate_clicks
from recsys_gru.preparation import prepare, read_prepared
from recsys_gru.sessions import Sessions, filter_sessions, split_by_time


def test_a_model_of_a_prepared_folder_is_the_model_of_the_log_in_memory(tmp_path: Path) -> None:
    log = generate_clicks(400, 60, days=5, seed=1, text_ids=True)
    train, test = split_by_time(check_clicks(log).clicks, timedelta(days=1))
    packed = Sessions.from_events(filter_sessions(train))
    prepare(log, tmp_path / "log", Recipe(test=timedelta(days=1)), rows_per_bucket=300)
    mapped = read_prepared(tmp_path / "log")
    assert isinstance(mapped.train.items, np.memmap)
    models = [GRU4Rec(n_epochs=1, seed=3).fit(data) for data in (packed, mapped.train)]
    lists = [model.recommend(mapped.test, k=5) for model in models]
    assert lists[0].equals(lists[1])
    assert lists[0].equals(models[1].recommend(Sessions.from_events(test, packed.vocabulary), k=5))
