"""Hyper-parameters: what is given is kept, what is reckoned with is plain, what cannot be is refused."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils import estimator_checks

import recsys_gru as rg
from recsys_gru.contract import Recommender, new_recommender
from recsys_gru.contract.parameters import readers_of
from recsys_gru.errors import NotFittedError, ParameterError
from tests.contract.suite import FACTORIES, log

KINDS = [type(make()) for make in FACTORIES.values()]
HERE: Any = rg  # wrong on purpose, or right at run time only
small: Any = partial(rg.GRU4Rec, batch_size=8, n_sample=8, n_epochs=1, device="cpu")
GIVEN: dict[str, tuple[Callable[[], Recommender], dict[str, object]]] = {
    "a path": (lambda: small(layers=8, checkpoint_dir=None), {"layers": (8,)}),
    "a list": (lambda: small(layers=[8, 4]), {"layers": (8, 4)}),
    "an array": (lambda: small(layers=np.array([8, 4], np.int8)), {"layers": (8, 4)}),
    "NumPy's numbers": (
        lambda: small(layers=(np.int64(8),), logq=np.float32(0.5), seed=np.uint8(3)),
        {"layers": (8,), "logq": 0.5, "seed": 3},
    ),
    "NumPy's booleans": (
        lambda: small(layers=(8,), constrained_embedding=np.bool_(False)),
        {"constrained_embedding": False},
    ),
    "a torch device": (lambda: small(layers=(8,)).set_params(device=torch.device("cpu")), {"device": "cpu"}),
    "a whole float": (lambda: HERE.ItemKNN(neighbors=np.float64(5)), {"neighbors": 5}),
    "a small number": (
        lambda: HERE.VSKNN(neighbors=np.int8(100), sample_size=np.int16(300)),
        {"neighbors": 100},
    ),
    "NumPy's text": (lambda: HERE.VSKNN(decay=np.str_("linear")), {"decay": "linear"}),
}
"""How a hyper-parameter may come, and what it is then."""


@pytest.mark.parametrize("case", GIVEN)
def test_what_another_library_calls_a_number_is_one_and_is_saved(case: str, tmp_path: Path) -> None:
    make, plain = GIVEN[case]
    model = make().fit(log())
    model.save(tmp_path / "model")
    saved = json.loads((tmp_path / "model" / "manifest.json").read_text())["parameters"]
    assert model.parameters() | plain == model.parameters()
    assert saved == json.loads(json.dumps(model.parameters()))
    assert repr(rg.load(tmp_path / "model")) == repr(model)


def test_a_path_for_checkpoints_is_saved_also_inside_a_tracked_run(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "mlruns")
    with rg.tracking.run(tmp_path / "mlruns", name="night"):
        model = small(layers=(8,), checkpoint_dir=tmp_path / "points").fit(log())
    model.save(tmp_path / "model")
    assert rg.load(tmp_path / "model").parameters()["checkpoint_dir"] == str(tmp_path / "points")
    small(layers=(8,)).fit(log(), checkpoint_dir=tmp_path / "others", checkpoint_every=np.int64(5))
    assert (tmp_path / "others" / "checkpoint").exists()


WRONG: dict[str, tuple[object, ...]] = {
    "a whole number": ("5", "five", 2.5, float("nan"), True, None, [5], b"5", 5j),
    "a number": ("0.5", "false", float("inf"), float("nan"), True, None, [0.5], np.bool_(True)),
    "True or False": ("false", "False", "yes", 2, 0.5, None, []),
    "text": (5, True, b"linear", ["linear"], None),
    "a list of whole numbers": ("8", (8.5,), ("8",), None, {8}, {8: 1}, True, (True,), np.zeros((1, 1))),
}


def wrong_values() -> list[tuple[type[Recommender], str, object]]:
    """For every hyper-parameter of every model values that its signature does not allow."""
    return [
        (kind, name, value)
        for kind in KINDS
        for name, readers in readers_of(kind).items()
        for value in WRONG.get(readers[0][0], ())
        if value is not None or "None" not in {words for words, _ in readers}
    ]


@pytest.mark.parametrize(("kind", "name", "value"), wrong_values())
def test_a_wrong_value_is_refused_by_name_before_the_log_is_read(
    kind: type[Recommender], name: str, value: object
) -> None:
    with pytest.raises(ParameterError, match=name):
        kind(**{name: value}).fit("a log that is not there.csv")
    repr(kind(**{name: value}))  # never fails


@pytest.mark.parametrize("kind", KINDS)
def test_every_hyper_parameter_says_what_it_may_be(kind: type[Recommender]) -> None:
    assert all(words != "anything" for readers in readers_of(kind).values() for words, _ in readers)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_is_refused_with_the_nearest(kind: type[Recommender]) -> None:
    with pytest.raises(ParameterError, match=f"{kind.__name__} has no parameter 'nonsense'"):
        new_recommender(kind, {"nonsense": 1})
    model = kind()
    with pytest.raises(ParameterError, match="nonsense"):
        model.set_params(nonsense=1)
    for name in model.get_params(deep=False):
        with pytest.raises(ParameterError, match=f"did you mean.*{name}"):
            model.set_params(**{f"{name}s": 1})


@pytest.mark.parametrize(
    "given", [{"layers": 0}, {"layers": ()}, {"n_sample": -1}, {"patience": 0}, {"checkpoint_every": -1},
              {"checkpoint_dir": ""}, {"checkpoint_dir": 5}, {"device": "abacus"}, {"device": 0}],
)  # fmt: skip
def test_an_impossible_value_is_refused_before_the_log_is_read(given: dict[str, object]) -> None:
    (name,) = given
    with pytest.raises(ParameterError, match=name):
        HERE.GRU4Rec(**given).fit("a log that is not there.csv")


@pytest.mark.parametrize(
    ("kind", "name"), [(rg.STAN, "click_decay"), (rg.VSTAN, "match_decay"), (rg.STAN, "nearness")]
)
def test_neighbour_models_name_the_parameter_as_it_was_given(kind: type[Recommender], name: str) -> None:
    with pytest.raises(ParameterError, match=f"expected {name}"):
        kind(**{name: -1.0}).fit(log())


@pytest.mark.parametrize("kind", KINDS)
def test_sklearn_clones_it_and_get_params_gives_what_was_given(kind: type[Recommender]) -> None:
    model = kind()
    assert clone(model).get_params(deep=False) == model.get_params(deep=False) == vars(model)
    if kind is rg.GRU4Rec:
        layers = [8, 4]
        given = rg.GRU4Rec(layers=layers, checkpoint_dir=Path("a"))
        assert given.layers is layers
        assert clone(given).get_params() == given.get_params()
        assert clone(given.set_params(layers=3)).layers == 3


def test_models_inside_are_reached_by_name_as_in_a_pipeline_of_sklearn() -> None:
    network = rg.GRU4Rec(n_epochs=3)
    blend = rg.Blend([network, {"model": "STAN", "neighbors": 7}])
    told = blend.get_params()
    assert (told["models__0__n_epochs"], told["models__1__neighbors"]) == (3, 7)
    assert "models__0__n_epochs" not in blend.get_params(deep=False)
    blend.set_params(models__0__n_epochs=1, models__1__sample_size=50, strength=2.0)
    assert blend.get_params() == told | {
        "models": blend.models, "models__0__n_epochs": 1, "models__1__sample_size": 50, "strength": 2.0
    }  # fmt: skip
    assert network.n_epochs == 3
    blend.set_params(models=[rg.Markov(), rg.STAN()], models__1__neighbors=9)
    assert [type(model).__name__ for model in blend.members()] == ["Markov", "STAN"]
    assert clone(blend).get_params()["models__1__neighbors"] == 9


@pytest.mark.parametrize(
    "name", ["models__2__neighbors", "models__x__neighbors", "models__1", "models__1__", "other__1__k",
             "models__1__nonsense", "models__-1__neighbors", "models____neighbors"],
)  # fmt: skip
def test_a_model_inside_that_is_not_there_is_refused_and_nothing_is_changed(name: str) -> None:
    blend = rg.Blend([rg.Markov(), rg.STAN()])
    before = blend.get_params()
    with pytest.raises(ParameterError, match="no parameter"):
        blend.set_params(strength=9.0, **{name: 5})
    assert blend.get_params(deep=False) == {name: before[name] for name in ("models", "held_out", "strength")}


def test_fit_changes_no_hyper_parameter_and_a_clone_is_unfitted() -> None:
    for make in FACTORIES.values():
        model = make()
        before = dict(model.get_params())
        model.fit(log())
        assert model.get_params() == before
        with pytest.raises(NotFittedError):
            clone(model).recommend_one([100])


def test_what_is_changed_after_fit_is_not_what_is_saved(tmp_path: Path) -> None:
    model = rg.VSKNN(neighbors=3, sample_size=5).fit(log())
    before = model.recommend_one([100, 101])
    model.set_params(neighbors=50)
    assert model.recommend_one([100, 101]).equals(before)
    model.save(tmp_path / "model")
    assert rg.load(tmp_path / "model").parameters()["neighbors"] == 3
    network = small(layers=(8,)).fit(log()).set_params(layers=(4,))
    network.save(tmp_path / "network")
    assert rg.load(tmp_path / "network").recommend_one([100]).equals(network.recommend_one([100]))
    with pytest.raises(ParameterError, match="partial_fit goes on with the network"):
        network.partial_fit(log())
    with pytest.raises(ParameterError, match="optimizer"):
        network.set_params(layers=(8,), optimizer="adam").partial_fit(log())


def test_fitted_attributes_are_asked_for_as_python_asks() -> None:
    fresh, fitted = rg.GRU4Rec(), rg.Markov().fit(log())
    assert not hasattr(fresh, "vocabulary_")
    assert getattr(fresh, "history_", "none") == "none"
    with pytest.raises(NotFittedError, match="call fit or load"):
        _ = fresh.network_
    assert not hasattr(fitted, "classes_")
    with pytest.raises(AttributeError, match="Markov has no attribute 'new_items_'") as told:
        _ = getattr(fitted, "new_items_")  # noqa: B009 - mypy must not know
    assert not isinstance(told.value, NotFittedError)


ARRAYS = "fits arrays X and y of numbers; a recommender fits a click log"
TAGS = "asks for scikit-learn's own Tags object, and the library does not depend on scikit-learn"
CHECKS: dict[str, str] = {
    "check_estimator_tags_renamed": "",
    "check_estimator_repr": "",
    "check_no_attributes_set_in_init": "",
    "check_estimators_unfitted": "",
    "check_do_not_raise_errors_in_init_or_set_params": "",
    "check_mixin_order": "",
    "check_parameters_default_constructible": "",
    "check_get_params_invariance": "",
    "check_set_params": "",
    "check_estimator_cloneable": "",
    "check_valid_tag_types": TAGS,
    "check_fit_check_is_fitted": TAGS,
    "check_array_api_input": ARRAYS,
    "check_complex_data": ARRAYS,
    "check_dict_unchanged": ARRAYS,
    "check_dont_overwrite_parameters": ARRAYS,
    "check_dtype_object": ARRAYS,
    "check_estimator_sparse_array": ARRAYS,
    "check_estimator_sparse_matrix": ARRAYS,
    "check_estimator_sparse_tag": ARRAYS,
    "check_estimators_dtypes": ARRAYS,
    "check_estimators_empty_data_messages": ARRAYS,
    "check_estimators_fit_returns_self": ARRAYS,
    "check_estimators_nan_inf": ARRAYS,
    "check_estimators_overwrite_params": ARRAYS,
    "check_estimators_pickle": ARRAYS,
    "check_f_contiguous_array_estimator": ARRAYS,
    "check_fit1d": ARRAYS,
    "check_fit2d_1feature": ARRAYS,
    "check_fit2d_1sample": ARRAYS,
    "check_fit2d_predict1d": ARRAYS,
    "check_fit_idempotent": ARRAYS,
    "check_fit_score_takes_y": ARRAYS,
    "check_methods_sample_order_invariance": ARRAYS,
    "check_methods_subset_invariance": ARRAYS,
    "check_n_features_in": ARRAYS,
    "check_n_features_in_after_fitting": ARRAYS,
    "check_pipeline_consistency": ARRAYS,
    "check_positive_only_tag_during_fit": ARRAYS,
    "check_readonly_memmap_input": ARRAYS,
}
"""scikit-learn's checks of an estimator, and why one does not apply; contract/test_suite_fit has our own."""


@pytest.mark.parametrize("check", [name for name, why in CHECKS.items() if not why])
@pytest.mark.parametrize("kind", KINDS)
def test_the_checks_of_scikit_learn_that_apply_hold(kind: type[Recommender], check: str) -> None:
    getattr(estimator_checks, check)(kind.__name__, kind())


def test_every_check_of_scikit_learn_is_in_the_table() -> None:
    from sklearn.base import BaseEstimator

    class Plain(BaseEstimator):  # type: ignore[misc, unused-ignore]
        """An estimator of no kind in particular."""

        def fit(self, _x: object, _y: object = None) -> "Plain":
            return self

    asked = {
        getattr(check, "func", check).__name__
        for check in estimator_checks._yield_all_checks(Plain(), legacy=True)
    }
    assert asked <= set(CHECKS)
