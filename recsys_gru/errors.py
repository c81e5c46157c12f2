"""Every error of the library: one small tree, each leaf also a built-in error.

RecsysError
├── InputError (ValueError)                a frame, file or argument is not what was expected
│   ├── SchemaError                        a column is missing or of the wrong type
│   ├── ClickLogError                      the rows of a click log cannot be used
│   └── ParameterError                     a hyper-parameter or setting is impossible
├── BundleError (ValueError)               a saved model is damaged, foreign or too new
├── CheckpointError (ValueError)           a checkpoint is damaged or belongs to another run
├── NotFittedError (RuntimeError,          a recommender is used before fit
│                   AttributeError)
├── ForkError (RuntimeError)               a forked process uses what began in its parent
├── NonFiniteScoresError (RuntimeError)    a model gives NaN or infinite scores
├── DivergedError (RuntimeError)           training met a NaN or infinite loss
└── TrackingError (RuntimeError)           the MLflow store cannot be used
"""


class RecsysError(Exception):
    """The root: catch it to catch every error this library raises on purpose."""


class InputError(RecsysError, ValueError):
    """A frame, file or argument is not what was expected."""


class SchemaError(InputError):
    """A column is missing or of the wrong type."""


class ClickLogError(InputError):
    """The rows of a click log cannot be used."""


class ParameterError(InputError):
    """A hyper-parameter or setting is impossible."""


class BundleError(RecsysError, ValueError):
    """A saved model is damaged, foreign or too new."""


class CheckpointError(RecsysError, ValueError):
    """A checkpoint is damaged or belongs to another run."""


class NotFittedError(RecsysError, RuntimeError, AttributeError):
    """A recommender is used before ``fit``; an AttributeError too, so that ``hasattr`` and ``getattr`` with a
    default work as ever."""


class ForkError(RecsysError, RuntimeError):
    """A forked process uses threads that stayed behind in its parent."""


class NonFiniteScoresError(RecsysError, RuntimeError):
    """A model gives NaN or infinite scores."""


class DivergedError(RecsysError, RuntimeError):
    """Training met a NaN or infinite loss."""


class TrackingError(RecsysError, RuntimeError):
    """The MLflow store cannot be used."""
