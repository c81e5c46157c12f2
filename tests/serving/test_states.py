"""Clicks to sessions in memory take one step of the network: the answers are those of whole sessions."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys_gru import GRU4Rec, Recommender
from recsys_gru.contract import Begun
from recsys_gru.serving import Settings
from recsys_gru.serving.states import BESIDE, States, Walked
from tests.serving.running import Here, Reply, running, wait_for
from tests.serving.test_exchange import WATCH, publish, version_of


def require_whole(reply: Reply, model: Recommender, ids: list[int]) -> None:
    """The answer is `recommend_one`'s of all these clicks, to the bit."""
    expected = model.recommend_one(ids, 4)
    known = sum(model.vocabulary_.number(one) >= 0 for one in ids)
    assert (reply.body["known"], reply.body["unknown"]) == (known, len(ids) - known)
    if known:
        assert [one["item_id"] for one in reply.body["items"]] == expected["item_id"].to_list()
        assert [one["score"] for one in reply.body["items"]] == expected["score"].to_list()


def walked(service: Here, session: str) -> int | None:
    """The clicks of a session that its state is of; None where there is none."""
    found = service.service.places["main"].served.states._kept.get(session)
    return None if found is None else len(found[0])


def test_sessions_of_any_course_are_answered_as_whole_ones(folder: Path, tmp_path: Path) -> None:
    draw, models = np.random.default_rng(2), {1: GRU4Rec.load(folder)}
    models[2] = GRU4Rec.load(folder)
    for layer in models[2].network_.layers:
        layer["recurrent"].mul_(-1.0)
    models[2].save(tmp_path / "other")
    publish(tmp_path, 1, folder)
    publish(tmp_path / "next", 2, tmp_path / "other")
    shutil.move(tmp_path / "next" / "versions" / "000002", tmp_path / "versions")
    told = Settings(str(tmp_path / "current.json"), port=0, watch=WATCH, sessions="memory", session_items=6)
    clicks: dict[str, list[int]] = {name: [] for name in "abcd"}
    with running(told) as service:
        for number in (1, 2):
            if number == 2:
                (tmp_path / "next" / "current.json").replace(tmp_path / "current.json")
                wait_for(lambda: version_of(service) == "fresh-2")
                assert walked(service, "a") is None  # it went with its model
            for _ in range(30):
                name, item = "abcd"[draw.integers(4)], 99 + int(draw.integers(13))  # 99 is unknown
                if draw.random() < 0.1:
                    service.ask("DELETE", f"/v1/sessions/{name}")
                    assert walked(service, name) is None
                    clicks[name] = []
                clicks[name] = [*clicks[name], item][-6:]
                require_whole(service.click(name, item, "?k=4"), models[number], clicks[name])
                require_whole(service.recommend(session_id=name, k=4), models[number], clicks[name])
        assert service.figure("states") == len(service.service._main().states) > 0


def test_only_what_a_session_still_holds_is_gone_on_from(folder: Path) -> None:
    model = GRU4Rec.load(folder)
    with running(Settings(str(folder), port=0, sessions="memory", session_items=3, most_sessions=2)) as here:
        here.click("a", 100)
        here.click("a", 101)
        assert walked(here, "a") == 2
        assert here.click("a", 102, consent=False).status == 200
        assert walked(here, "a") == 2
        sessions = here.service.sessions
        assert sessions is not None
        sessions._kept["a"] = sessions._kept["a"][0], (103,)  # type: ignore[attr-defined] # from elsewhere
        require_whole(here.click("a", 104, "?k=4"), model, [103, 104])
        assert walked(here, "a") == 2
        for item in (105, 106):  # the second one pushes 103 out
            here.click("a", item)
        require_whole(here.click("a", 107, "?k=4"), model, [105, 106, 107])
        here.click("b", 100)
        here.click("c", 100)  # a is forgotten
        assert [walked(here, name) for name in "abc"] == [None, 1, 1]


@pytest.mark.parametrize("megabytes", [0, 1])
def test_memory_for_states_can_be_told(folder: Path, megabytes: int) -> None:
    with running(Settings(str(folder), port=0, sessions="memory", states=megabytes)) as here:
        here.click("a", 100)
        assert walked(here, "a") == (1 if megabytes else None)
        require_whole(here.click("a", 101, "?k=4"), GRU4Rec.load(folder), [100, 101])


def test_those_longest_without_a_click_go_first_where_memory_is_full() -> None:
    states, one = States(), Walked(np.arange(5, dtype=np.int32), 1, Begun(5, bytes(80)))
    each = BESIDE + 20 + 80
    for name in "abca":
        states.keep(name, (name,), one, 3 * each)
    assert len(states) == 3
    states.keep("d", ("d",), one, 3 * each)
    assert [states.find(name, (name,)) is one for name in "abcd"] == [True, False, True, True]
    assert states.find("a", ("b",)) is None
    for name in "acd":
        states.forget(name)
        states.forget(name)
    assert (len(states), states._bytes) == (0, 0)
