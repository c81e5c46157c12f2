"""What of GRU4Rec is worth tuning. Source: the published search spaces of Hidasi & Czapp 2023, and what came
later."""

from recsys_gru.contract import SearchSpace

SEARCH_SPACE: SearchSpace = {
    "learning_rate": ("float", 0.01, 0.25, True),
    "batch_size": ("int", 32, 256, True),
    "dropout_p_embed": ("float", 0.0, 0.5, False),
    "dropout_p_hidden": ("float", 0.0, 0.7, False),
    "momentum": ("float", 0.0, 0.9, False),
    "sample_alpha": ("float", 0.0, 1.0, False),
    "bpreg": ("float", 0.0, 2.0, False),
    "elu_param": [0.0, 0.5, 1.0],
    "loss": ["cross-entropy", "bpr-max"],
    "logq": [0.0, 1.0],
    "scale": [0.0, 12.0, 16.0],
    "look_back": [0, 5],
    "repeats": [0, 5],
}
