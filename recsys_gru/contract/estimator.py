"""What scikit-learn asks of an estimator, without scikit-learn: hyper-parameters stored as they came."""

import inspect
from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Self

from recsys_gru.arguments import known_names
from recsys_gru.contract.parameters import plain_value, readers_of
from recsys_gru.errors import ParameterError


class Estimator(ABC):  # noqa: B024 - it is abstract though a subclass may leave all as it is
    """The constructor of a subclass stores hyper-parameters under their own names and does nothing else.

    What was given is kept as it is, so that ``sklearn.base.clone`` works; models reckon with ``parameters``.
    """

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """The hyper-parameters by name, as they were given; ``deep``: those of models inside too, of which
        the first one's are named ``models__0__NAME``.
        """
        own = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        members = self._members() if deep else {}
        return own | {
            f"{name}__{place}__{inner}": value
            for name, models in members.items()
            for place, model in enumerate(models)
            for inner, value in model.get_params().items()
        }

    def set_params(self, **parameters: object) -> Self:
        """Give hyper-parameters new values, by the names of ``get_params`` also those of models inside: new
        ones take their places. What is fitted already stays as it was fitted.

        Raises:
            ParameterError: if there is no such hyper-parameter; then none is changed.
        """
        inner = {name: value for name, value in parameters.items() if "__" in name}
        own = {name: value for name, value in parameters.items() if name not in inner}
        known_names(type(self).__name__, own, readers_of(type(self)))
        members = type(self)(**self.get_params(deep=False) | own)._members() if inner else {}
        for name, value in inner.items():
            kind, place, of_member = [*name.split("__", 2), ""][:3]
            models = members.get(kind, ())
            if not of_member or not place.isdecimal() or int(place) >= len(models):
                raise ParameterError(f"{type(self).__name__} has no parameter {name!r}; see get_params()")
            models[int(place)].set_params(**{of_member: value})
        own |= {kind: members[kind] for kind in {name.partition("__")[0] for name in inner}}
        for name, value in own.items():
            setattr(self, name, value)
        return self

    def _members(self) -> Mapping[str, Sequence["Estimator"]]:
        """Unfitted twins of the models inside, by the hyper-parameter that holds them."""
        return {}

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
            return self.get_params(deep=False)
