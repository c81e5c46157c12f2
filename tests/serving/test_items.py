"""An items file beside the model: added, told anew, refused in words, named."""

from pathlib import Path

import polars as pl
import pytest

from recsys_gru import GRU4Rec
from recsys_gru.errors import InputError
from recsys_gru.serving import Settings
from recsys_gru.serving.app import loaded_models
from tests.serving.running import Here, process, running, wait_for
from tests.serving.test_exchange import WATCH, publish, version_of

FACTS = {
    "item_id": [*range(100, 112)],
    "kind": ["odd", "even"] * 6,
    "title": [f"Lamp {i}" for i in range(12)],
}


@pytest.fixture(scope="module")
def knowing(clicks: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that has learned facts."""
    place = tmp_path_factory.mktemp("models") / "knowing"
    model = GRU4Rec(layers=(8,), batch_size=8, n_sample=16, n_epochs=3, device="cpu")
    model.fit(clicks, items=pl.DataFrame(FACTS)).save(place)
    return place


def told(file: Path, *items: tuple[int, str, str]) -> Path:
    """An items file in place of the last one, whole."""
    aside = file.with_name("aside.csv")
    pl.DataFrame(items, schema=["item_id", "kind", "title"], orient="row").write_csv(aside)
    aside.replace(file)
    return file


def named(service: Here, text: str) -> list[tuple[int, str]]:
    found = service.ask("GET", f"/v1/items?find={text}").body["items"]
    return [(one["item_id"], one["name"]) for one in found]


def trouble(service: Here) -> str:
    return str(service.ask("GET", "/readyz").body["models"]["main"]["trouble"])


def sources(service: Here) -> dict[int, str]:
    items = service.recommend(items=[100, 101], k=50).body["items"]
    return {one["item_id"]: one.get("source", "model") for one in items}


def test_items_are_added_told_anew_and_go_with_each_new_model(knowing: Path, tmp_path: Path) -> None:
    publish(tmp_path, 1, knowing)
    file = told(tmp_path / "items.csv", (900, "odd", "New lamp"))
    settings = Settings(str(tmp_path / "current.json"), port=0, watch=WATCH, items=file)
    with running(settings) as service:
        assert sources(service)[900] == "facts"
        assert named(service, "new+lamp") == [(900, "New lamp")]
        told(file, (901, "even", "Newer lamp"), (111, "odd", "Old lamp"))
        wait_for(lambda: named(service, "newer") == [(901, "Newer lamp")])
        assert 900 not in sources(service)
        assert named(service, "old") == [(111, "Old lamp")]
        before = version_of(service)
        file.write_text("item_id,kind\n1,odd\n")
        wait_for(lambda: "missing or unknown: title" in trouble(service))
        assert version_of(service) == before
        assert sources(service)[901] == "facts"
        publish(tmp_path, 2, knowing)
        wait_for(lambda: version_of(service).startswith("fresh-2+items-"))
        assert sources(service)[901] == "facts"
        assert "cannot be used" in trouble(service)
        file.unlink()
        wait_for(lambda: "items.csv" in trouble(service) and "title" not in trouble(service))
        told(file, (902, "even", "Newest lamp"))
        wait_for(lambda: named(service, "newest") == [(902, "Newest lamp")])
        assert trouble(service) == "None"


def test_a_model_without_facts_is_told_names_alone(other: Path, tmp_path: Path) -> None:
    file = told(tmp_path / "items.csv", (100, "odd", "Lamp"), (900, "odd", "Unknown"))
    with process(other, "--items", file, "--name", "kind") as service:
        found = service.ask("GET", "/v1/items?find=odd").body["items"]
        assert found == [{"item_id": 100, "name": "odd"}]


def test_what_cannot_be_is_refused_at_the_start(knowing: Path, other: Path, tmp_path: Path) -> None:
    nameless = tmp_path / "nameless.csv"
    nameless.write_text("item_id,size\n100,1\n")
    for model, file, said in (
        (knowing, nameless, "missing or unknown: kind, size, title"),
        (other, nameless, "only names are of use"),
        (knowing, tmp_path / "nowhere.csv", "nowhere.csv"),
    ):
        with pytest.raises(InputError, match=said):
            loaded_models(Settings(str(model), items=file))
