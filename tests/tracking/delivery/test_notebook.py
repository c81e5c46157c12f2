"""What a fit says can be kept in a folder and told to a run later, whole and without harm twice."""

from pathlib import Path

from recsys_gru.baselines import Markov
from recsys_gru.clicks import generate_clicks
from recsys_gru.recommender import GRU4Rec
from recsys_gru.sessions import Sessions
from recsys_gru.tracking import Notebook, noting
from recsys_gru.tracking.delivery.records import Ended, Fed, Filed, Logged, Opened

TRAIN = Sessions.from_events(generate_clicks(n_sessions=120, n_items=30, days=4, seed=5))


def test_a_fit_that_began_at_a_checkpoint_notes_the_epochs_before_it_too(tmp_path: Path) -> None:
    model = GRU4Rec(layers=(8,), n_sample=8, n_epochs=2)
    model.fit(TRAIN, checkpoint_dir=tmp_path / "checkpoint")
    with noting(tmp_path, "toy"):
        model.fit(TRAIN, checkpoint_dir=tmp_path / "checkpoint")  # complete: no epoch is walked again
    told = [record for record in Notebook(tmp_path).read("t") if isinstance(record, Logged)]
    losses = [(step, value) for one in told for name, value, _, step in one.metrics if name == "train/loss"]
    assert losses == [(report.epoch, report.loss) for report in model.history_]
    assert len(losses) == 2


def test_a_notebook_holds_all_but_the_beginning_and_the_end(tmp_path: Path) -> None:
    with noting(tmp_path, "toy"):
        Markov().fit(TRAIN)
    records = list(Notebook(tmp_path).read("mine"))
    assert {type(record) for record in records} == {Logged, Fed, Filed}
    assert {record.ticket for record in records} == {"mine"}
    assert [Path(one.waiting) for one in records if isinstance(one, Filed)] == [
        tmp_path / "training.html", tmp_path / "model",
    ]  # fmt: skip
    Notebook(tmp_path).put(Opened("a", "b", 1, {}))
    Notebook(tmp_path).put(Ended("a", "FINISHED", 1))
    assert list(Notebook(tmp_path).read("mine")) == records
