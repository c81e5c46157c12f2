"""Many requests in one pass: each gets its own answer, and what cannot be answered in time is refused."""

import asyncio
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from recsys_gru import Recommender
from recsys_gru.contract import Question, Ranking
from recsys_gru.serving.batcher import Batcher
from recsys_gru.serving.refusal import RefusedError
from recsys_gru.serving.served import Served

Passes = list[int]


def question(*numbers: int, k: int = 3) -> Question:
    return Question(np.array(numbers, dtype=np.int32), k)


async def together(
    batcher: Batcher, served: Served, questions: Sequence[Question]
) -> list[Ranking | BaseException]:
    """All asked at once."""
    return await asyncio.gather(*(batcher.ask(served, one) for one in questions), return_exceptions=True)


def told(passes: Passes) -> Callable[[int, float], None]:
    return lambda size, _: passes.append(size)


def test_each_of_many_gets_the_answer_that_it_gets_alone_in_few_passes(model: Recommender) -> None:
    async def main() -> None:
        passes: Passes = []
        served, batcher = Served(model, "1"), Batcher(16, 1000, 30.0, told(passes))
        questions = [question(n % 12, (n + 3) % 12, k=1 + n % 5) for n in range(100)]
        found = await together(batcher, served, questions)
        batcher.close()
        for one, ranking in zip(questions, found, strict=True):
            assert isinstance(ranking, Ranking)
            alone = served.rank([one])[0]
            np.testing.assert_array_equal(ranking.items, alone.items)
            np.testing.assert_array_equal(ranking.scores, alone.scores)
        assert sum(passes) == 100
        assert max(passes) <= 16
        assert len(passes) < 60

    asyncio.run(main())


def test_each_is_answered_by_the_model_that_it_was_asked_of(model: Recommender) -> None:
    async def main() -> None:
        batcher = Batcher(16, 1000, 30.0, told([]))
        one, two = Served(model, "1"), Served(model, "2")
        asked: list[str] = []
        for served in (one, two):
            object.__setattr__(served, "rank", noting(served, asked))
        await asyncio.gather(*(batcher.ask((one, two)[n % 2], question(n % 12)) for n in range(20)))
        batcher.close()
        assert sorted(asked) == ["1"] * 10 + ["2"] * 10

    asyncio.run(main())


def noting(served: Served, asked: list[str]) -> Callable[[Sequence[Question]], list[Ranking]]:
    """Its rank, which notes who was asked."""
    rank = served.rank

    def noted(questions: Sequence[Question]) -> list[Ranking]:
        asked.extend([served.version] * len(questions))
        return rank(questions)

    return noted


def slow(model: Recommender, seconds: float) -> Served:
    """The model, which takes so long for a pass."""
    served = Served(model, "slow")
    rank = served.rank

    def slowly(questions: Sequence[Question]) -> list[Ranking]:
        time.sleep(seconds)
        return rank(questions)

    object.__setattr__(served, "rank", slowly)
    return served


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(model: Recommender) -> None:
    async def main() -> None:
        served, batcher = Served(model, "1"), Batcher(2, 4, 30.0, told([]))
        waiting = [asyncio.create_task(batcher.ask(served, question(n))) for n in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(RefusedError, match="4 requests are waiting") as refused:
            await batcher.ask(served, question(1))
        assert (refused.value.status, refused.value.retry_after) == (503, 1)
        assert len(await asyncio.gather(*waiting)) == 4
        assert len((await batcher.ask(served, question(1))).items) == 3

    asyncio.run(main())


def test_who_has_waited_too_long_is_refused(model: Recommender) -> None:
    async def main() -> None:
        batcher = Batcher(1, 10, 0.1, told([]))
        found = await together(batcher, slow(model, 0.3), [question(1), question(2), question(3)])
        assert isinstance(found[0], Ranking)
        assert [type(one) for one in found[1:]] == [RefusedError, RefusedError]
        assert "waited longer" in str(found[1])
        assert len((await batcher.ask(Served(model, "1"), question(1))).items) == 3

    asyncio.run(main())


def test_what_comes_during_a_pass_is_the_next_one(model: Recommender) -> None:
    async def main() -> None:
        passes: Passes = []
        batcher, served = Batcher(16, 100, 30.0, told(passes)), slow(model, 0.01)
        for number in range(3):
            assert len((await batcher.ask(served, question(number))).items) == 3
        await together(batcher, served, [question(number) for number in range(8)])
        assert passes == [1, 1, 1, 8]

    asyncio.run(main())


def test_one_that_fails_spoils_no_other_of_its_pass(model: Recommender) -> None:
    async def main() -> None:
        batcher = Batcher(16, 100, 30.0, told([]))
        found = await together(batcher, Served(model, "1"), [question(1), question(2, k=0), question(3)])
        batcher.close()
        assert [isinstance(one, Ranking) for one in found] == [True, False, True]

    asyncio.run(main())


def test_what_waits_is_answered_before_the_end_and_nothing_after_it(model: Recommender) -> None:
    async def main() -> None:
        served, batcher = Served(model, "1"), Batcher(4, 100, 30.0, told([]))
        waiting = [asyncio.create_task(batcher.ask(served, question(n % 12))) for n in range(30)]
        await asyncio.sleep(0)
        batcher.close()
        assert len(await asyncio.gather(*waiting)) == 30
        with pytest.raises(RefusedError):
            await batcher.ask(served, question(1))

    asyncio.run(main())
