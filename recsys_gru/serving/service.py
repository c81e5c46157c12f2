"""What the service does, without HTTP: questions to answers, clicks to where they are kept."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, final

import numpy as np

from recsys_gru.contract import Begun, Context, Question
from recsys_gru.errors import InputError
from recsys_gru.serving.batcher import Batcher
from recsys_gru.serving.clicks import Click, ClickLog
from recsys_gru.serving.exchange import Place
from recsys_gru.serving.measures import Measures
from recsys_gru.serving.recent import Recent, recent_first
from recsys_gru.serving.refusal import RefusedError
from recsys_gru.serving.served import Served, require_answer
from recsys_gru.serving.sessions import Sessions, sessions_of
from recsys_gru.serving.settings import Settings
from recsys_gru.serving.states import Ids, Walked
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
        self.sessions = sessions_of(settings, self._forgotten)
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
        if asked.session_id is None:
            served = self._place(asked.model).served
            walked = served.walked(asked.items or ())
        else:
            ids = await self._kept().items(asked.session_id)
            served = self._place(asked.model).served
            walked = served.states.find(asked.session_id, ids) or served.walked(ids)
        how = asked.k, asked.exclude_seen, asked.allow, asked.deny
        found, _ = await self.answer(served, walked, *how, context=asked.context)
        return _named(served, found) if asked.names else found

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
            alone = self._main().walked([click.item])
            told, _ = await self.answer(self._main(), alone, k, exclude_seen, context=context)
            return told
        before = () if self.sessions is None else await self.sessions.items(session)
        served = self._main()
        walked = self._after(served, session, before, click.item)
        kept = None if self.clicks is None else self.clicks.add(click)
        begun = None
        try:
            told, begun = await self.answer(served, walked, k, exclude_seen, context=context)
            return told
        finally:  # what the disk says of a click that it does not keep goes before any answer
            if kept is not None:
                await kept
            if self.sessions is not None:
                ids = await self.sessions.add(session, click.item)
                if begun is not None and ids == (*before, click.item):  # and no other click came meanwhile
                    most = self.settings.states * 2**20
                    served.states.keep(session, ids, walked._replace(begun=begun), most)
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
        served: Served,
        walked: Walked,
        k: int,
        exclude_seen: bool,
        allow: Iterable[int | str] | None = None,
        deny: Iterable[int | str] | None = None,
        context: Context | None = None,
    ) -> tuple[Told, Begun | None]:
        """The ranked items that may follow some clicks, and how far the model has come with these.

        Raises:
            RefusedError: 422 where a label of the context is none.
        """
        moment = _known(served, context)
        numbers, unknown, begun = walked
        self.measures.known.inc(len(numbers))
        self.measures.unknown.inc(unknown)
        barred = numbers if exclude_seen else numbers[:0]
        if deny:
            barred = np.concatenate((barred, served.numbers(tuple(deny))))
        allowed = None if allow is None else served.numbers(tuple(allow))
        question = Question(numbers, k, barred, allowed, moment, begun)
        ranking, source = await self.batcher.ask(served, question), "model"
        begun = ranking.begun
        if ranking.popular:
            ranking, source = recent_first(self.recent.best(self.clock()), served, question, ranking)
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
        return told if context is None else told | {"context": list(moment or ())}, begun

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

    def _after(self, served: Served, session: str, before: Ids, item: int | str) -> Walked:
        """A session's clicks and one more; where its oldest ones are left out, they are walked anew."""
        told = self.settings
        if told.sessions == "memory" and told.states and len(before) < told.session_items:
            return served.after(session, before, item)
        return served.walked((*before, item)[-told.session_items :])

    def _main(self) -> Served:
        return self.places["main"].served

    def _forgotten(self, session: str) -> None:
        self._main().states.forget(session)

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
        watch("states", "Of these the ones that a click takes one step of.", lambda: len(self._main().states))
        watch(
            "model_age_seconds", "How long ago the youngest click was that the model has learned.", self._age
        )

    def _age(self) -> float:
        until = self._main().until
        return float("nan") if until is None else self.clock() - until


def _named(served: Served, found: Told) -> Told:
    """An answer with what people call its items."""
    for item in found["items"]:
        number = served.number(item["item_id"])
        if number >= 0 and (name := served.name(number)) is not None:
            item["name"] = name
    return found


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


def _listed(ids: Iterable[int | str], scores: Iterable[float]) -> list[Told]:
    return [{"item_id": one, "score": score} for one, score in zip(ids, scores, strict=True)]
