"""Every name that a run of ours bears in MLflow, and what it means: the one list, shown in docs/tracking.md.

The part before ``/`` becomes a section of the dashboard's charts. K stands for a cut-off.
"""

METRICS = {
    "train/loss": "mean training loss of the epoch",
    "train/events_per_second": "training events walked per second in the epoch",
    "train/seconds": "seconds the epoch took, validation not counted",
    "train/total_seconds": "seconds the whole fit took",
    "valid/recall_at_K": "recall@K on the validation sessions after the epoch, or the fit of a trial",
    "valid/mrr_at_K": "MRR@K likewise; on the parent of a search that of its best trial",
    "test/recall_at_K": "recall@K on the test sessions, of the clicks that `test.unknown_rule` counts",
    "test/mrr_at_K": "MRR@K likewise",
    "test_all/recall_at_K": "recall@K of all clicks, unknown items as misses; `test_all/mrr_at_K` likewise",
    "test_known/recall_at_K": "recall@K of known clicks only; `test_known/mrr_at_K` likewise",
    "test_all_shown/recall_at_K": (
        "recall@K of all clicks as shown, without items of the session; `test_all_shown/mrr_at_K` likewise"
    ),
    "test_known_shown/recall_at_K": "recall@K of known clicks as shown; `test_known_shown/mrr_at_K` likewise",
    "test/unknown_share": "share of all clicks that are on items outside the training vocabulary",
    "test/repeat_share": "share of known clicks that are on an item of their session",
    "test_interval/recall_at_K_low": "lower end of the 95 % interval of recall@K, bootstrapped over sessions",
    "test_interval/recall_at_K_high": "its upper end",
    "test_interval/mrr_at_K_low": "lower end of the 95 % interval of MRR@K, bootstrapped over sessions",
    "test_interval/mrr_at_K_high": "its upper end",
    "system/cpu_percent": "processor use of the process since the last epoch, 100 for each busy core",
    "system/memory_megabytes": "main memory held by the training process",
    "stage/NAME_seconds": "of a night: seconds the stage NAME took",
    "stage/ingest_NAME": "clicks of the day `read`, `kept` and `rejected`",
    "stage/sessions_NAME": "`train_events`, `train_sessions`, `train_items`, `test_events`, `test_sessions`",
    "stage/train_NAME": "`items` of the vocabulary, `epochs`, and the last epoch's `loss`",
    "stage/evaluate_NAME": (
        "test `events`, `unknown_share`, `coverage`, `latency_p50_ms`, `latency_p99_ms` of single requests"
    ),
    "stage/recommend_rows": "rows of recommendations written",
    "champion/recall_at_K": "of a night: recall@K of the model that served, on the same test sessions",
    "champion/mrr_at_K": "its MRR@K",
    "baseline/NAME_recall_at_K": "of a night: recall@K of the baseline NAME, on the same test sessions",
    "baseline/NAME_mrr_at_K": "its MRR@K",
}

TAGS = {
    "role": "parent (a comparison or a search), model (one fit), trial (one fit of a search), nightly",
    "model": "class of the recommender",
    "data": "name of the click log",
    "data.sessions": "training sessions",
    "data.events": "training events",
    "data.items": "items in the training vocabulary",
    "data.unknown": "training clicks on items outside the vocabulary",
    "data.first": "time of the first training event",
    "data.last": "time of the last training event",
    "trial": "number of the trial in its study",
    "best.NAME": "on the parent of a search: the best trial's hyper-parameter",
    "code.version": "version of recsys-gru",
    "mlflow.source.git.commit": "commit of the code, where it runs from a checkout",
    "library.NAME": "version of a library the result depends on",
    "machine.system": "operating system and processor architecture",
    "machine.cores": "cores of the machine",
    "machine.threads": "threads PyTorch may use",
    "test.events": "events the test metrics are taken over",
    "test.sessions": "test sessions with at least one such event",
    "test.unknown": "test clicks on items outside the training vocabulary",
    "test.excluded": "test events whose target an item filter bars",
    "test.ties": "tie rule of the test metrics",
    "test.unknown_rule": "how test clicks on unknown items count",
    "test.warnings": "what to know before believing the test figures",
    "error": "what a failed fit said, or that its process was killed",
    "recsys_gru.process": "machine and process of the run; a run whose process is gone is marked killed",
    "recsys_gru.ticket": "our own name of the run, under which a record that is sent twice finds it",
    "gate": "on a model version and on its night: why it was or was not promoted",
    "day": "of a night, and on its model version: the day it was tested on",
    "fingerprint": "of a night: of all that the trained model depends on",
    "gate.promoted": "of a night: whether its model was put into use",
    "gate.version": "of a night: the version its model was registered as",
    "gate.serving": "of a night: the version that serves after it",
    "gate.rival": "of a night: the version it was compared with",
    "gate.NAME": "of a night: the setting NAME of the gate",
    "evaluate.NAME": "of a night: the setting NAME of the evaluation",
}

ARTIFACTS = {
    "model/": "the saved model, as recsys_gru loads it",
    "training.html": "the fit as a page: data, curves by epoch, parameters",
    "report.html": "the evaluation as a page, of a trial on the validation part: intervals, slices, examples",
    "report.json": "test metrics, metrics of the lists, counts and warnings",
    "ranks.parquet": "the rank of every test event, read by recsys-gru compare",
    "recall_curve.png": "recall@k over k",
    "slices.png": "recall by position, length, popularity, hour and more",
    "comparison.png": "on a parent run: recall and MRR of its models side by side",
    "plots/": "on the parent of a search: Optuna's pictures of the study",
    "decision.md": "of a night: what the gate checked, with the numbers",
}

ALIASES = {
    "champion": "the model version in use",
    "challenger": "the newest version, not yet promoted",
}
