"""Slow, plain re-computations that the fast code is tested against, written from the formulas alone."""

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
