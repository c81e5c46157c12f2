"""The nightly job: clicks in, sessions, training, evaluation, gate, recommendations.

`stages` are the steps of a night, `plumbing` is what they stand on. Here are the recipe (`nightly`), the
gate, the command line, the schedule, and what people need around them: status with its remedies, backfill,
rollback, advise. Installed it is `recsys_gru.pipelines`, which `recsys-gru` uses; in a checkout it is also
`pipelines`. So its files must never import each other by full names, nor anything of the library but what
its rooms export.
"""
