"""The nightly job: clicks in, sessions, training, evaluation, gate, recommendations.

`stages` are the steps of a night, `plumbing` is what they stand on. Here are the recipe (`nightly`), the gate, the
command line, the schedule, and what people need around them: status with its remedies, backfill, rollback and
advise. Used by `recsys-gru` and, in a checkout, by `python -m pipelines`: the files go by both names, so they must
never import each other but relatively, nor anything of the library but what its rooms export.
"""
