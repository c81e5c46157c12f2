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
├── StoreError (RuntimeError)              an object store cannot be used
└── TrackingError (RuntimeError)           the MLflow store cannot be used

Each one's cause and cure: docs/errors.md, at the place that its ``help`` names.
"""

import re
from typing import TypeVar

_HIDDEN = "***"
_SECRETS = (
    # scheme://user:password@host, the password up to the last @; host:5000/... is no password
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s/'\"@:]*):(?!\d+/)[^\s'\"]*@", re.IGNORECASE), rf"\1:{_HIDDEN}@"),
    (re.compile(r"(https?://)[^\s/'\"@:]+@", re.IGNORECASE), rf"\1{_HIDDEN}@"),
    (
        re.compile(
            r"([?&;][\w.-]*(?:passw|pwd|token|secret|api_?key|credential|signature)[\w.-]*=)[^&;\s'\"]+",
            re.IGNORECASE,
        ),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"\b((?:password|passwd|pwd) *= *)[^&;\s'\"]+", re.IGNORECASE), rf"\1{_HIDDEN}"),
)
Error = TypeVar("Error", bound=BaseException)


def without_secrets(text: object) -> str:
    """The text with the passwords and tokens in its URIs hidden: for messages, logs and notes.

    >>> without_secrets("no answer from postgresql://shop:pa@ss@db/runs?sslmode=require")
    'no answer from postgresql://shop:***@db/runs?sslmode=require'
    """
    shown = str(text)
    for secret, hidden in _SECRETS:
        shown = secret.sub(hidden, shown)
    return shown


def hiding_secrets(error: Error) -> Error:
    """The same error, others' too, with the secrets in its text hidden; for ``raise ... from``."""
    error.args = tuple(without_secrets(part) if isinstance(part, str) else part for part in error.args)
    if isinstance(told := vars(error).get("message"), str):
        vars(error)["message"] = without_secrets(told)
    return error


class RecsysError(Exception):
    """The root: catch it to catch every error this library raises on purpose.

    Its text never shows a password or token of a URI; a traceback ends with its ``help``.

    >>> InputError("expected a log").help
    'docs/errors.md#inputerror'
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*(without_secrets(part) if isinstance(part, str) else part for part in parts))
        self.add_note(f"help: {self.help}")

    @property
    def help(self) -> str:
        """Where cause and cure are told; of a class of your own, those of the library's that it is one of."""
        ours = (kind for kind in type(self).__mro__ if kind.__module__.startswith("recsys_gru."))
        return f"docs/errors.md#{next(ours).__name__.lower()}"


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


class StoreError(RecsysError, RuntimeError):
    """An object store cannot be used."""


class TrackingError(RecsysError, RuntimeError):
    """The MLflow store cannot be used."""
