"""The recommended estimator."""

from recsys_gru.blend.blend import Blend


def recommended() -> Blend:
    """An unfitted estimator with the recommended members and settings, chosen on validation parts of the
    development logs (docs/blend.md).

    >>> [model["model"] for model in recommended().parameters()["models"]][:3]
    ['GRU4Rec', 'GRU4Rec', 'VMISKNN']
    """
    return Blend()
