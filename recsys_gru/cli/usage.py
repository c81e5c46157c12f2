"""Examples at the end of each command's help."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("demo", "demo clicks.csv --test-days 2", "demo clicks.csv --user visitor --item sku --time at"),
    "describe": ("describe clicks.csv", "describe clicks.parquet --items facts.parquet --out described"),
    "prepare": ("prepare clicks.csv --test-days 1 --out data", "prepare clicks.csv --doctor"),
    "fit": (
        "fit clicks.csv --out model",
        "fit clicks.csv --test-days 1 --model GRU4Rec --param 'layers=(200,)' --out model",
        "fit clicks.csv --items facts.csv --out model",
    ),
    "evaluate": ("evaluate model clicks.csv --test-days 1", "evaluate model later.csv --k 10 --unknown drop"),
    "compare": ("compare clicks.csv --test-days 2", "compare Markov GRU4Rec --out compared.png"),
    "prequential": ("prequential clicks.csv --every 60", "prequential clicks.csv --model Markov"),
    "recommend": (
        "recommend model --items 12,7 --k 5",
        "recommend model sessions.csv --out ranked.parquet",
    ),
    "serve": ("serve model", "serve model --port 8080 --workers 2", "serve models:/gru4rec@champion"),
    "export": (
        "export model exported",
        "export model small --format onnx-int8",
        "export blend exported --member 0",
    ),
    "tune": ("tune clicks.csv --trials 30 --out tuned", "tune clicks.csv --model VSKNN --trials 20"),
    "verify": ("verify", "verify trajectories --json"),
    "register": ("register model", "register model --name shop --alias champion"),
    "prune": ("prune --keep-days 30", "prune --keep-days 30 --yes"),
    "dashboard": ("dashboard", "dashboard --port 5001 --experiment nightly"),
    "doctor": ("doctor", "doctor --json > doctor.json"),
}


def examples(name: str) -> str:
    """The epilog of a command's help; click leaves the lines after its mark as they are.

    >>> examples("verify").splitlines()[1:]
    ['Examples:', '  recsys-gru verify', '  recsys-gru verify trajectories --json']
    """
    return "\n".join(["\b", "Examples:", *(f"  recsys-gru {example}" for example in EXAMPLES[name])])
