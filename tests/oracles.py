"""Slow, plain re-computations that the fast code is tested against, written from the formulas alone."""

from collections.abc import Sequence
from typing import NamedTuple

# ---- ranking


def slow_counts(
    scores: list[list[float]], targets: list[int], allowed: list[list[bool]]
) -> list[tuple[int, int]]:
    """(above, ties) of each row's target among the allowed items, one comparison at a time."""
    found = []
    for row, target, mask in zip(scores, targets, allowed, strict=True):
        rivals = [score for item, score in enumerate(row) if mask[item] and item != target]
        found.append((sum(s > row[target] for s in rivals), 1 + sum(s == row[target] for s in rivals)))
    return found


def slow_top_k(scores: list[float], k: int, allowed: list[bool]) -> list[int]:
    """The k best allowed items by a full sort, padded with -1."""
    best = sorted((item for item, ok in enumerate(allowed) if ok), key=lambda item: (-scores[item], item))[:k]
    return best + [-1] * (k - len(best))


# ---- evaluation


def slow_replay(
    table: list[list[float]], sessions: list[list[int]], n_items: int
) -> list[tuple[int, int, int, float, float, float]]:
    """(session, position, item, three ranks); a prefix's last known item alone gives the scores."""
    rows = []
    for session, clicked in enumerate(sessions):
        known = [item for item in clicked if item < n_items]
        for position in range(1, len(known)):
            scores, target = table[known[position - 1]], known[position]
            above = sum(score > scores[target] for score in scores)
            ties = sum(score == scores[target] for score in scores)
            standard, conservative = above + 1, above + ties
            median = (standard + conservative) / 2
            rows.append((session, position, target, float(conservative), float(standard), median))
    return rows


def slow_views(
    table: list[list[float]], support: list[int], sessions: list[list[int]]
) -> list[tuple[float, float, str]]:
    """(rank, rank as shown, source) of every click from the second of its session on, conservatively."""
    rows: list[tuple[float, float, str]] = []
    for clicked in sessions:
        for place in range(1, len(clicked)):
            known = [item for item in clicked[:place] if item < len(support)]
            target = clicked[place]
            if target >= len(support):
                rows.append((float("inf"), float("inf"), "unknown"))
                continue
            scores = table[known[-1]] if known else [float(count) for count in support]
            better = [item for item, score in enumerate(scores) if score >= scores[target]]
            shown = [item for item in better if item not in known]
            rank_shown = float("inf") if target in known else float(len(shown))
            rows.append((float(len(better)), rank_shown, "model" if known else "popularity"))
    return rows


def slow_bins(
    table: list[list[float]],
    popular: list[float],
    sessions: Sequence[list[int]],
    k: int,
    edges: Sequence[float],
) -> list[tuple[float, float, int, float, float]]:
    """(low, high, items shown, mean probability, share that came) of each bin that holds an item."""
    shown: list[tuple[float, bool]] = []
    for clicked in sessions:
        for place in range(1, len(clicked)):
            known = [item for item in clicked[:place] if item < len(popular)]
            given = table[known[-1]] if known else popular
            best = sorted(range(len(given)), key=lambda item: (-given[item], item))[:k]
            shown += [(given[item], item == clicked[place]) for item in best]
    rows = []
    for low, high in zip([0.0, *edges], [*edges, 1.0], strict=True):
        inside = [one for one in shown if low <= one[0] < high or one[0] == high == 1.0]
        if inside:
            given_all, came = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            rows.append((low, high, len(inside), given_all, came))
    return rows


# ---- clicks

ClickRow = tuple[int, int, int]


class SplitRows(NamedTuple):
    """Rows of (session, item, second) on each side of a cut, and how many are in neither."""

    train: list[ClickRow]
    test: list[ClickRow]
    lost: int


def split_rows(rows: list[ClickRow], seconds: int) -> SplitRows:
    """Train is what lies before the cut, test the sessions that begin at or after it."""
    cut = max(time for _, _, time in rows) - seconds
    starts: dict[int, int] = {}
    for session, _, time in rows:
        starts[session] = min(time, starts.get(session, time))
    train = sorted(row for row in rows if row[2] < cut)
    test = sorted(row for row in rows if starts[row[0]] >= cut)
    return SplitRows(train, test, len(rows) - len(train) - len(test))


def filtered_rows(rows: list[ClickRow], support: int, length: int) -> list[ClickRow]:
    """Throw out one offending row after another until none offends."""
    left = sorted(rows)
    while True:
        sessions = [session for session, _, _ in left]
        items = [item for _, item, _ in left]
        bad = [row for row in left if items.count(row[1]) < support or sessions.count(row[0]) < length]
        if not bad:
            return left
        left.remove(bad[0])


def sessions_by_gap(rows: list[ClickRow], gap: int) -> list[tuple[int, int, int, int]]:
    """(session number, user, item, second): one walk along each user's clicks."""
    found: list[tuple[int, int, int, int]] = []
    for user, item, time in sorted(rows, key=lambda row: (row[0], row[2])):
        same = bool(found) and found[-1][1] == user and time - found[-1][3] <= gap
        number = found[-1][0] + (not same) if found else 0
        found.append((number, user, item, time))
    return found
