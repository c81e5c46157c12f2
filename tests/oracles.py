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
