"""The nightly job: clicks in, sessions, training, evaluation, gate, recommendations; one file per stage."""
