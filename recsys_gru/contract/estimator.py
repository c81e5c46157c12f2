"""What scikit-learn asks of an estimator, without scikit-learn: hyper-parameters stored as they came."""

import inspect
from abc import ABC
from typing import Self

from recsys_gru.arguments import known_names
from recsys_gru.contract.parameters import plain_value, readers_of
from recsys_gru.errors import ParameterError


class Estimator(ABC):  # noqa: B024 - it is abstract though a subclass may leave all as it is
    """The constructor of a subclass stores hyper-parameters under their own names and does nothing else.

    What was given is kept as it is, so that ``sklearn.base.clone`` works; models reckon with ``parameters``.
    """

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """The hyper-parameters by name, as they were given; no model has others inside (``deep``)."""
        del deep
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **parameters: object) -> Self:
        """Give hyper-parameters new values; what is fitted already stays as it was fitted.

        Raises:
            ParameterError: if there is no such hyper-parameter; then none is changed.
        """
        known_names(type(self).__name__, parameters, readers_of(type(self)))
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def parameters(self) -> dict[str, object]:
        """The hyper-parameters by name as plain values: a path as text, a list as a tuple, NumPy's numbers as
        Python's.

        Raises:
            ParameterError: if one is of a kind that its class does not take; the message names it.
        """
        kind = type(self)
        return {name: plain_value(kind, name, getattr(self, name)) for name in readers_of(kind)}

    def check_parameters(self) -> None:
        """Refuse impossible hyper-parameters; ``fit`` does it before it looks at the log.

        Raises:
            ParameterError: naming the first of them.
        """
        self._plain()._require_possible()

    def _plain(self) -> Self:
        """An unfitted twin whose hyper-parameters are plain values."""
        return type(self)(**self.parameters())

    def _require_possible(self) -> None:
        """Raise ParameterError at the first impossible value; they are of the right kind already."""
        return

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self._shown().items())})"

    def _shown(self) -> dict[str, object]:
        try:
            return self.parameters()
        except ParameterError:  # a representation never fails
            return self.get_params()
