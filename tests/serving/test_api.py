"""What the service answers, over HTTP, beside what the model answers itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recsys_gru import GRU4Rec, Recommender
from recsys_gru.serving import Settings
from recsys_gru.serving.described import document
from tests.serving.running import Here, Reply, running


def require_same(reply: Reply, model: Recommender, items: list[int], k: int, **how: object) -> None:
    """The items and scores of recommend_one."""
    table = model.recommend_one(items, k, **how)  # type: ignore[arg-type]
    assert reply.status == 200, reply
    assert [one["item_id"] for one in reply.body["items"]] == table["item_id"].to_list()
    assert [one["score"] for one in reply.body["items"]] == table["score"].to_list()
    assert reply.body["source"] == "model"


def test_a_session_is_answered_as_recommend_one_answers_it(service: Here, model: Recommender) -> None:
    require_same(service.recommend(items=[100, 101], k=3), model, [100, 101], 3)
    require_same(service.recommend(items=["100", 101], k=3), model, [100, 101], 3)
    require_same(service.recommend(items=[100], exclude_seen=False), model, [100], 20, exclude_seen=False)
    require_same(service.recommend(items=[100], allow=[103, 999, 104]), model, [100], 20, allow=[103, 104])
    require_same(service.recommend(items=[100], deny=[101, "x"], k=5), model, [100], 5, deny=[101])


def test_unknown_items_are_left_out_and_counted(service: Here, model: Recommender) -> None:
    before = service.figure("unknown_items_total"), service.figure("known_items_total")
    reply = service.recommend(items=[100, 7, "nobody", 101], k=3)
    require_same(reply, model, [100, 101], 3)
    assert (reply.body["known"], reply.body["unknown"]) == (2, 2)
    assert service.figure("unknown_items_total") == before[0] + 2
    assert service.figure("known_items_total") == before[1] + 2


def test_allowing_only_unknown_items_gives_an_empty_list(service: Here) -> None:
    assert service.recommend(items=[100], allow=["nobody"]).body["items"] == []


def test_a_new_visitor_gets_what_is_popular_and_once_there_are_clicks_what_is_recent(
    folder: object, model: Recommender
) -> None:
    with running(Settings(str(folder), port=0, sessions="memory")) as service:
        visitors: list[dict[str, object]] = [
            {},
            {"items": []},
            {"items": ["nobody"]},
            {"session_id": "nobody"},
        ]
        for asked in visitors:
            reply = service.recommend(**asked, k=4)
            assert reply.body["source"] == "popularity"
            expected = model.recommend_one([], 4)["item_id"].to_list()
            assert [one["item_id"] for one in reply.body["items"]] == expected
        for item in (111, 105, 105):
            service.click("a", item)
        service.service.recent._list = (float("-inf"), [])  # a second later
        reply = service.recommend(k=4, deny=[111])
        assert reply.body["source"] == "recent"
        items = [one["item_id"] for one in reply.body["items"]]
        assert items[0] == 105
        assert len(items) == len(set(items)) == 4
        assert 111 not in items


def test_clicks_make_a_session_that_is_answered_and_forgotten(service: Here, model: Recommender) -> None:
    require_same(service.click("s1", 100, "?k=3"), model, [100], 3)
    require_same(service.click("s1", 104, "?k=3"), model, [100, 104], 3)
    require_same(service.recommend(session_id="s1", k=4), model, [100, 104], 4)
    seen = service.click("s1", 105, "?k=12&exclude_seen=false")
    assert {100, 104, 105} <= {one["item_id"] for one in seen.body["items"]}
    assert service.ask("DELETE", "/v1/sessions/s1").status == 204
    assert service.recommend(session_id="s1").body["known"] == 0
    assert service.ask("DELETE", "/v1/sessions/s1").status == 204


def test_without_consent_nothing_is_kept(service: Here, model: Recommender) -> None:
    before = service.figure("clicks_total")
    service.click("quiet", 100)
    require_same(service.click("quiet", 104, consent=False, query="?k=3"), model, [104], 3)
    assert service.recommend(session_id="quiet").body["known"] == 1
    assert service.figure("clicks_total") == before + 1


def test_similar_items_are_those_of_the_model(service: Here, model: Recommender) -> None:
    table = model.similar_items(100, 4)
    reply = service.ask("GET", "/v1/items/100/similar?k=4")
    assert [one["item_id"] for one in reply.body["items"]] == table["item_id"].to_list()
    assert service.ask("GET", "/v1/items/nobody/similar").status == 404
    assert service.ask("GET", "/v1/items/100/similar?model=beside").status == 200


def test_two_models_stand_side_by_side(service: Here) -> None:
    main, beside = (service.recommend(items=[100], model=name).body for name in ("main", "beside"))
    assert main["model_version"].startswith("gru-")
    assert beside["model_version"].startswith("markov-")


def test_it_says_that_it_lives_and_is_ready_and_what_serves(service: Here) -> None:
    assert service.ask("GET", "/healthz").body == "ok\n"
    ready = service.ask("GET", "/readyz")
    assert (ready.status, ready.body["ready"], ready.body["trouble"]) == (200, True, None)
    assert ready.body["models"]["main"]["kind"] == "GRU4Rec"
    text = service.ask("GET", "/metrics").body
    assert 'model_info{kind="GRU4Rec",model="main",version="gru-' in text
    assert service.figure("model_age_seconds") > 0
    assert service.figure("batch_size_count") > 0


NO_ZONE, TO_COME, UNSET = "2026-01-01T00:00:00", "2226-01-01T00:00:00Z", "1970-01-01T00:00:05Z"
REFUSED = {
    "a kind": ("POST", "/v1/recommend", {"items": [True]}, 422, "items.0"),
    "no list": ("POST", "/v1/recommend", {"items": "100"}, 422, "items"),
    "a fraction": ("POST", "/v1/recommend", {"items": [1.5]}, 422, "items.0"),
    "too large an id": ("POST", "/v1/recommend", {"items": [2**63]}, 422, "items.0"),
    "no text": ("POST", "/v1/recommend", {"items": ["a\nb"]}, 422, "items.0"),
    "k as a text": ("POST", "/v1/recommend", {"k": "5"}, 422, "k"),
    "k of none": ("POST", "/v1/recommend", {"k": 0}, 422, "k"),
    "k of many": ("POST", "/v1/recommend", {"k": 501}, 422, "k"),
    "a long list": ("POST", "/v1/recommend", {"items": [1] * 1001}, 422, "items"),
    "a slip": ("POST", "/v1/recommend", {"item": [1]}, 422, "item"),
    "both": ("POST", "/v1/recommend", {"items": [1], "session_id": "a"}, 422, "got both"),
    "no JSON": ("POST", "/v1/recommend", b"{", 422, "JSON"),
    "no object": ("POST", "/v1/recommend", b"[]", 422, "object"),
    "no body": ("POST", "/v1/recommend", b"", 422, "JSON"),
    "no UTF-8": ("POST", "/v1/recommend", b'{"items": ["\xff"]}', 422, "JSON"),
    "a parameter": ("POST", "/v1/recommend?k=3", {}, 422, "no parameter 'k'"),
    "k of words": ("POST", "/v1/sessions/a/clicks?k=three", {"item_id": 1}, 422, "k: "),
    "k twice": ("POST", "/v1/sessions/a/clicks?k=3&k=4", {"item_id": 1}, 422, "once"),
    "a time without zone": ("POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": NO_ZONE}, 422, "time"),
    "a time as a number": ("POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": 1.5}, 422, "time"),
    "a time to come": ("POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": TO_COME}, 422, "ahead"),
    "an unset clock": ("POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": UNSET}, 422, "behind"),
    "a number as a text": ("POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": "5"}, 422, "ISO 8601"),
    "seconds as a text": ("POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": "1793000000"}, 422, "ISO"),
    "a day": ("POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": "2026-01-01"}, 422, "ISO 8601"),
    "a year of no calendar": (
        "POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": "0000-01-01T00:00:00Z"}, 422, "time",
    ),
    "the first year": (
        "POST", "/v1/sessions/a/clicks", {"item_id": 1, "time": "0001-01-01T00:00:00+14:00"}, 422, "time",
    ),
    "a long name": ("POST", f"/v1/sessions/{'a' * 300}/clicks", {"item_id": 1}, 422, "session_id"),
    "too large": ("POST", "/v1/recommend", b" " * 300_000, 413, "262,144"),
    "no path": ("GET", "/v1/nothing", None, 404, "Not Found"),
    "no path but for a slash": ("POST", "/v1/recommend/", {}, 404, "Not Found"),
    "no method": ("PUT", "/v1/recommend", {}, 405, "Method"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_in_words(service: Here, name: str) -> None:
    method, path, body, status, said = REFUSED[name]
    reply = service.ask(str(method), str(path), body)
    assert (reply.status, str(said) in reply.body["error"]) == (status, True), reply


def test_a_form_of_another_page_is_refused(service: Here) -> None:
    reply = service.ask("POST", "/v1/recommend", b"{}", content_type="text/plain")
    assert (reply.status, "application/json" in reply.body["error"]) == (415, True)


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/v1/items/100/similar"])
def test_a_page_whose_name_was_made_to_point_here_is_refused(service: Here, path: str) -> None:
    port = service.port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "[::2]", "[::1"):
        reply = service.ask("GET", path, Host=host)
        assert (reply.status, "known as" in reply.body["error"]) == (400, True), host
    for host in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert service.ask("GET", path, Host=host).status == 200, host


def test_the_names_by_which_it_may_be_asked_are_told_at_the_start(folder: object) -> None:
    with running(Settings(str(folder), port=0, hosts=("Shop.example",))) as service:
        assert service.ask("GET", "/healthz", Host="shop.example:443").status == 200
        assert service.ask("GET", "/healthz", Host="localhost").status == 200
        assert service.ask("GET", "/healthz", Host="other.example").status == 400
    assert Settings(str(folder), host="0.0.0.0").known_as is None  # noqa: S104 - nothing listens


def test_with_a_token_only_who_has_it_is_answered(folder: object) -> None:
    with running(Settings(str(folder), port=0, token="the token")) as service:
        for path in ("/healthz", "/readyz", "/", "/docs", "/openapi.json"):
            assert service.ask("GET", path).status == 200, path
        for given in ({}, {"authorization": "Bearer other"}, {"authorization": "Basic the token"}):
            refused = service.ask("POST", "/v1/recommend", {"items": [100]}, **given)
            assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert service.ask("GET", "/metrics").status == 401
        reply = service.ask("POST", "/v1/recommend", {"items": [100]}, authorization="Bearer the token")
        assert reply.status == 200


def test_a_service_that_keeps_nothing_says_so(folder: object) -> None:
    with running(Settings(str(folder), port=0)) as service:
        assert service.click("a", 100).status == 409
        assert service.ask("DELETE", "/v1/sessions/a").status == 409
        assert service.recommend(session_id="a").status == 409
        assert service.recommend(items=[100], model="beside").status == 422


def test_the_document_describes_every_path_and_every_answer_that_was_given(service: Here) -> None:
    told = service.ask("GET", "/openapi.json").body
    assert told == document()
    assert set(told["components"]["schemas"]) >= {
        "Recommend",
        "Click",
        "Answer",
        "Similar",
        "Trouble",
        "Item",
    }
    for name, (method, path, _, status, _) in REFUSED.items():
        if name.startswith(("no path", "no method")):
            continue
        bare = str(path).partition("?")[0]
        template = "/v1/sessions/{session_id}/clicks" if bare.endswith("/clicks") else bare
        assert str(status) in told["paths"][template][str(method).lower()]["responses"], name


@pytest.fixture(scope="module")
def informed(clicks: pl.DataFrame, other: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A service whose model knows of devices, beside one that does not."""
    log = clicks.with_columns(device=pl.Series(["phone", "desk"]).gather(np.arange(clicks.height) % 2))
    place = tmp_path_factory.mktemp("informed") / "model"
    how: dict[str, Any] = {"layers": (8,), "batch_size": 8, "n_sample": 16, "n_epochs": 3, "device": "cpu"}
    GRU4Rec(context=("device",), **how).fit(log).save(place)
    with running(Settings(str(place), beside=str(other), port=0, sessions="memory")) as client:
        yield client


def test_what_is_known_about_the_last_click_is_used(informed: Here) -> None:
    model = informed.service.places["main"].served.model
    asked = {"items": [100, 101], "k": 3}
    for device in ("phone", "desk"):
        reply = informed.recommend(**asked, context={"device": device, "browser": 7})
        require_same(reply, model, [100, 101], 3, context={"device": device})
        assert reply.body["context"] == ["device"]
        clicked = informed.click(f"a-{device}", 100, "?k=3", context={"device": device})
        require_same(clicked, model, [100], 3, context={"device": device})
        kept = informed.recommend(session_id=f"a-{device}", k=3, context={"device": device})
        require_same(kept, model, [100], 3, context={"device": device})
    plain = informed.recommend(**asked)
    require_same(plain, model, [100, 101], 3)
    assert "context" not in plain.body


def test_a_context_that_the_model_does_not_know_is_left_out_and_told(informed: Here, service: Here) -> None:
    for client, more in ((informed, {"model": "beside"}), (service, {})):
        reply = client.recommend(items=[100], context={"device": "phone"}, **more)
        assert (reply.status, reply.body["context"]) == (200, [])
    wrong: list[object] = [{"device": []}, ["device"], "phone", {"device": {"a": 1}}, {"device": "x" * 300}]
    for context in wrong:
        assert informed.recommend(items=[100], context=context).status == 422
