"""What the service does, without HTTP: questions to answers, clicks to where they are kept."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, final

import numpy as np

from recsys_gru.contract import Context, Question, Ranking
from recsys_gru.errors import InputError
from recsys_gru.serving.batcher import Batcher
from recsys_gru.serving.clicks import Click, ClickLog
from recsys_gru.serving.exchange import Place
from recsys_gru.serving.measures import Measures
from recsys_gru.serving.recent import Recent
from recsys_gru.serving.refusal import RefusedError
from recsys_gru.serving.served import Numbers, Served, require_answer
from recsys_gru.serving.sessions import Ids, InMemory, InRedis, Sessions
from recsys_gru.serving.settings import Settings
from recsys_gru.serving.wire import Recommend

AHEAD, BEHIND = 60.0, 366 * 86_400.0
"""Seconds that a click may be ahead of the clock, and behind it: `check_clicks` sets aside what lies further
from the clicks around it."""
FRESH = 1.0
"""Seconds for which an answered golden request says that the service is ready."""
Told = dict[str, Any]


@final
class Service:
    """The models that serve, and what is kept of sessions and clicks. It is made inside a running event loop.

    Args:
        places: the models by name.
        clock: seconds since 1970.
    """

    def __init__(
        self, settings: Settings, places: dict[str, Place], measures: Measures, clock: Callable[[], float]
    ) -> None:
        self.settings, self.places, self.measures, self.clock = settings, places, measures, clock
        self.known_as = settings.known_as
        self.recent = Recent()
        self.sessions = _sessions(settings)
        self.clicks = (
            None
            if settings.clicks is None
            else ClickLog(settings.clicks, settings.every, clock, self._written)
        )
        self.batcher = Batcher(settings.batch, settings.queue, settings.deadline, measures.passed)
        self._golden = -FRESH
        self._watch()

    async def recommend(self, asked: Recommend) -> Told:
        """What may follow the items or the session that a request names.

        Raises:
            RefusedError: where it cannot be answered.
        """
        if asked.items is not None and asked.session_id is not None:
            raise RefusedError(
                422, "expected items or session_id, got both: the service adds none to the other"
            )
        ids: Ids = tuple(asked.items or ())
        if asked.session_id is not None:
            ids = await self._kept().items(asked.session_id)
        how = asked.k, asked.exclude_seen, asked.allow, asked.deny
        found = await self.answer(asked.model, ids, *how, context=asked.context)
        return self._named(asked.model, found) if asked.names else found

    async def click(
        self,
        session: str,
        click: Click,
        k: int,
        exclude_seen: bool,
        consent: bool,
        context: Context | None = None,
    ) -> Told:
        """Keep a click, then answer what may follow it; what is known about its moment is not kept.

        Raises:
            RefusedError: 409 where clicks are not kept at all, 503 where this one cannot be.
        """
        if self.clicks is None and self.sessions is None:
            raise RefusedError(
                409, "this service keeps neither sessions nor clicks: start it with --sessions or --clicks"
            )
        require_believable(click.time, self.clock())
        if not consent:
            return await self.answer("main", (click.item,), k, exclude_seen, context=context)
        before = () if self.sessions is None else await self.sessions.items(session)
        ids = (*before, click.item)[-self.settings.session_items :]
        kept = None if self.clicks is None else self.clicks.add(click)
        try:
            return await self.answer("main", ids, k, exclude_seen, context=context)
        finally:  # what the disk says of a click that it does not keep goes before any answer
            if kept is not None:
                await kept
            if self.sessions is not None:
                await self.sessions.add(session, click.item)
            self.recent.add(click.item, self.clock())

    async def forget(self, session: str) -> None:
        """Drop a session's clicks; those in the log stay, they name no person.

        Raises:
            RefusedError: 409 where no sessions are kept.
        """
        await self._kept().forget(session)

    async def similar(self, which: str, item: int | str, k: int) -> Told:
        """The items most like one.

        Raises:
            RefusedError: 404 where the model does not know it, or compares none.
        """
        served = self._place(which).served
        number = served.number(item)
        if number < 0:
            raise RefusedError(404, f"the model does not know the item {item!r}")
        try:
            ids, scores = await asyncio.to_thread(served.similar, number, k)
        except InputError as error:
            raise RefusedError(404, str(error)) from error
        return {"items": _listed(ids, scores), "model_version": served.version}

    async def found(self, which: str, text: str, k: int) -> Told:
        """The items of an id, or of names that hold the words of a text."""
        served = self._place(which).served
        numbers = await asyncio.to_thread(served.found, text, k)
        ids = served.ids
        items = [{"item_id": ids[number], "name": served.name(number)} for number in numbers]
        return {"items": items, "model_version": served.version}

    async def answer(
        self,
        which: str,
        ids: Ids,
        k: int,
        exclude_seen: bool,
        allow: Iterable[int | str] | None = None,
        deny: Iterable[int | str] | None = None,
        context: Context | None = None,
    ) -> Told:
        """The ranked items that may follow some ids.

        Raises:
            RefusedError: 422 where a label of the context is none.
        """
        served = self._place(which).served
        moment = _known(served, context)
        numbers = served.numbers(ids)
        unknown = len(ids) - len(numbers)
        self.measures.known.inc(len(numbers))
        self.measures.unknown.inc(unknown)
        barred = numbers if exclude_seen else numbers[:0]
        if deny:
            barred = np.concatenate((barred, served.numbers(tuple(deny))))
        allowed = None if allow is None else served.numbers(tuple(allow))
        question = Question(numbers, k, barred, allowed, moment)
        ranking, source = await self.batcher.ask(served, question), "model"
        if ranking.popular:
            ranking, source = self._recent(served, question, ranking)
        self.measures.answers.labels(source).inc()
        ids_of = served.ids
        items = _listed([ids_of[number] for number in ranking.items.tolist()], ranking.scores.tolist())
        if source == "model":
            for place in served.unclicked(ranking.items):
                items[place]["source"] = "facts"
        told = {
            "items": items,
            "source": source,
            "model_version": served.version,
            "known": len(numbers),
            "unknown": unknown,
        }
        return told if context is None else told | {"context": list(moment or ())}

    async def ready(self) -> None:
        """Have the model answer a golden request, where that was not done a moment ago.

        Raises:
            UnfitError, RefusedError: if it does not.
        """
        now = time.monotonic()
        if now < self._golden + FRESH:
            return
        for place in self.places.values():
            served = place.served
            require_answer(await self.batcher.ask(served, served.golden))
        self._golden = now

    async def close(self) -> None:
        """Finish what waits and let go of everything."""
        self.batcher.close()
        if self.clicks is not None:
            await asyncio.to_thread(self.clicks.close)
        if self.sessions is not None:
            await self.sessions.close()

    def _named(self, which: str, found: Told) -> Told:
        """An answer with what people call its items."""
        served = self._place(which).served
        for item in found["items"]:
            number = served.number(item["item_id"])
            if number >= 0 and (name := served.name(number)) is not None:
                item["name"] = name
        return found

    def _recent(self, served: Served, question: Question, popular: Ranking) -> tuple[Ranking, str]:
        """The items clicked of late, and behind them those that were ever popular."""
        barred, allowed = set(question.barred.tolist()), question.allowed
        only = None if allowed is None else set(allowed.tolist())
        best: dict[int, float] = {}
        for item, share in self.recent.best(self.clock()):
            number = served.number(item)
            if number >= 0 and number not in barred and (only is None or number in only):
                best[number] = share
            if len(best) == question.k:
                break
        if not best:
            return popular, "popularity"
        rest = [number for number in popular.items.tolist() if number not in best][: question.k - len(best)]
        numbers: Numbers = np.array([*best, *rest], dtype=np.int32)
        scores = np.array([*best.values(), *(0.0 for _ in rest)], dtype=np.float32)
        return Ranking(numbers, scores, popular=True), "recent"

    def _kept(self) -> Sessions:
        if self.sessions is None:
            raise RefusedError(
                409, "this service keeps no sessions: send items, or start it with --sessions memory"
            )
        return self.sessions

    def _place(self, which: str) -> Place:
        if which not in self.places:
            raise RefusedError(
                422, f"model: there is no {which!r} here: start the service with --beside MODEL"
            )
        return self.places[which]

    def _written(self, count: int, seconds: float, kept: bool) -> None:
        self.measures.sync_seconds.observe(seconds)
        (self.measures.clicks if kept else self.measures.click_failures).inc(count)

    def _watch(self) -> None:
        watch, sessions = self.measures.watch, self.sessions
        watch("queue", "Requests that wait.", lambda: len(self.batcher))
        watch("sessions", "Sessions kept in memory.", lambda: 0 if sessions is None else sessions.count())
        watch(
            "model_age_seconds", "How long ago the youngest click was that the model has learned.", self._age
        )

    def _age(self) -> float:
        until = self.places["main"].served.until
        return float("nan") if until is None else self.clock() - until


def _known(served: Served, context: Context | None) -> Context | None:
    """What the model wants of a context."""
    try:
        return None if context is None else served.known(context)
    except InputError as error:
        raise RefusedError(422, str(error)) from error


def require_believable(moment: float, now: float) -> None:
    """Refuse a time that no reader of the log would believe: of a clock that was never set, or is wrong.

    Raises:
        RefusedError: 422.
    """
    if not now - BEHIND <= moment <= now + AHEAD:
        raise RefusedError(
            422,
            f"time: expected one at most {AHEAD:g} s ahead of the service's clock and {BEHIND / 86_400:g} "
            f"days behind it, got one {abs(moment - now):,.0f} s {'ahead' if moment > now else 'behind'}",
        )


def _sessions(settings: Settings) -> Sessions | None:
    if settings.sessions == "none":
        return None
    if settings.sessions == "memory":
        kept = settings.session_ttl, settings.session_items, settings.most_sessions
        return InMemory(*kept, clock=time.monotonic)
    return InRedis(settings.sessions, settings.session_ttl, settings.session_items)


def _listed(ids: Iterable[int | str], scores: Iterable[float]) -> list[Told]:
    return [{"item_id": one, "score": score} for one, score in zip(ids, scores, strict=True)]
