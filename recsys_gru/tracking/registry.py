"""The model registry: versions of one model that can be served, their tags, and which of them is in use."""

import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, final

import recsys_gru
from recsys_gru.arguments import name_text
from recsys_gru.errors import ParameterError, TrackingError, hiding_secrets
from recsys_gru.tracking.delivery import EXPERIMENT, Desk, as_text, is_value, store_at
from recsys_gru.tracking.scratch import forgetting, scratch
from recsys_gru.tracking.seals import run_of_seal, seal_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.models import ModelSignature

    from recsys_gru.contract import Recommender
    from recsys_gru.tracking.delivery import LastingRun, Run

CHAMPION, CHALLENGER = "champion", "challenger"
EXAMPLE_ITEMS, EXAMPLE_K = 3, 5
REQUIREMENTS = ("torch", "polars", "numpy", "numba", "scipy", "safetensors", "pyarrow", "psutil", "rich")


@final
class Registry:
    """The versions of one registered model.

    Args:
        where: folder of an SQLite store, or a tracking URI.
        name: of the registered model.
        experiment: that the versions' files belong to.
    """

    def __init__(
        self, where: str | os.PathLike[str] = "mlruns", name: str = "gru4rec", experiment: str = EXPERIMENT
    ) -> None:
        self.name = registered_name(name)
        self._desk = Desk(store_at(where), experiment)
        self._client = self._desk.client

    def register(
        self,
        model: "Recommender",
        *,
        run: "Run | LastingRun | None" = None,
        alias: str | None = CHALLENGER,
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        notes: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> int:
        """Add a fitted model as the next version, after it has answered a request in its served form.

        Args:
            run: the run that fitted it, if that has been sent; else it is found by the model's seal.
            metrics, notes: figures and texts for its card, as `save` takes them.
            folder: where it is saved already, to be copied as it is.

        Raises:
            TrackingError: if the model does not answer, or the store does not take it.
        """
        from mlflow.exceptions import MlflowException

        try:
            with scratch() as place, forgetting(place):
                path = place / "model"
                write_served(model, path, metrics, notes, folder)
                check_answers(path, *example(model))
                run_id = None if run is None else self._desk.find(run.ticket)
                run_id = run_id or run_of_seal(self._desk, seal_of(path / "artifacts" / "bundle"))
                version = self._upload(path, model, run_id, dict(tags or {}))
                if alias is not None:
                    self.point(alias, version)
                return version
        except (MlflowException, OSError) as error:
            raise TrackingError(
                f"cannot register {self.name}: {error}; nothing was put into use"
            ) from hiding_secrets(error)

    def version_of(self, alias: str) -> int | None:
        """The version that bears the alias, if any does."""
        model = self._model()
        return int(model.aliases[alias]) if model is not None and alias in model.aliases else None

    def find(self, key: str, value: str) -> int | None:
        """The newest version on which this value is noted, if any is."""
        wanted = f"name = '{self.name}' and {is_value(f'tags.`{key}`', value)}"
        found = self._client.search_model_versions(wanted)
        return max((int(one.version) for one in found if one.tags.get(key) == value), default=None)

    def point(self, alias: str, version: int) -> None:
        """Give a version the alias, and take it from any other."""
        self._client.set_registered_model_alias(self.name, alias, str(version))

    def promote(self, version: int, reason: str) -> None:
        """Make a version the champion, and note on it why."""
        self.point(CHAMPION, version)
        self.tag(version, "gate", reason)

    def tag(self, version: int, key: str, value: str) -> None:
        """Note something on a version."""
        self._client.set_model_version_tag(self.name, str(version), key, value)

    def tags(self, version: int) -> dict[str, str]:
        """What is noted on a version."""
        return dict(self._client.get_model_version(self.name, str(version)).tags)

    def load(self, version: int) -> "Recommender":
        """The recommender of a version, checked byte for byte.

        Raises:
            TrackingError: if the store does not have it.
            BundleError: if it is damaged.
        """
        import mlflow.artifacts
        from mlflow.exceptions import MlflowException
        from mlflow.utils.uri import append_to_uri_path, is_local_uri

        from recsys_gru.contract import load

        try:
            found = self._client.get_model_version_download_uri(self.name, str(version))
            here: bool = is_local_uri(found)  # type: ignore[no-untyped-call] # then it is read where it lies
            with scratch() as folder:
                path = mlflow.artifacts.download_artifacts(  # the code beside it is for those who serve
                    artifact_uri=append_to_uri_path(found, "artifacts", "bundle"),  # type: ignore[no-untyped-call]
                    dst_path=None if here else str(folder),
                    tracking_uri=self._desk.store.uri,
                )
                return load(Path(path))
        except (MlflowException, OSError) as error:
            raise TrackingError(f"cannot read version {version} of {self.name}: {error}") from hiding_secrets(
                error
            )

    def keep_only(self, tag: str, value: str, key: str, staying: Collection[str]) -> int:
        """Remove versions with their files: of those with a tag all whose key is none of those that stay.

        What a killed ``register`` with these tags has left goes too. A version that bears an alias stays.

        Returns:
            How many versions were removed.
        """
        from mlflow.exceptions import MlflowException

        client, of_it = self._client, is_value(f"tags.`{tag}`", value)
        try:
            versions = client.search_model_versions(f"name = '{self.name}' and {of_it}")
            model = self._model()
            used = {str(version) for version in (model.aliases if model else {}).values()}
            kept = [one for one in versions if one.tags.get(key) in staying or str(one.version) in used]
            old, sources = [one for one in versions if one not in kept], {one.source for one in kept}
            for one in old:
                client.delete_model_version(self.name, one.version)
            for logged in client.search_logged_models([self._desk.experiment], of_it):
                if logged.name == self.name and logged.artifact_location not in sources:
                    self._remove_files(logged.artifact_location)  # first: a deleted one is not found again
                    client.delete_logged_model(logged.model_id)
        except (MlflowException, OSError) as error:
            raise TrackingError(f"cannot remove old versions of {self.name}: {error}") from hiding_secrets(
                error
            )
        return len(old)

    def _model(self) -> "RegisteredModel | None":
        """The registered model, if there is one yet."""
        found = self._client.search_registered_models(f"name = '{self.name}'")
        return found[0] if found else None

    def _upload(self, path: Path, model: "Recommender", run_id: str | None, tags: dict[str, str]) -> int:
        from mlflow.entities import LoggedModelOutput

        client, kind = self._client, type(model).__name__
        params = as_text(model.parameters())
        logged = client.create_logged_model(self._desk.experiment, self.name, run_id, tags, params, kind)
        client.log_model_artifacts(logged.model_id, str(path))
        client.finalize_logged_model(logged.model_id, "READY")
        if run_id is not None:
            client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        if self._model() is None:
            client.create_registered_model(self.name, description="Sessions in, ranked next items out.")
        place = logged.artifact_location
        # A server takes files only with the model that they belong to; a database looks for that elsewhere.
        owner = logged.model_id if self._desk.store.uri.startswith("http") else None
        version = client.create_model_version(
            self.name, place, run_id, {"model": kind, **tags}, model_id=owner
        )
        return int(version.version)

    def _remove_files(self, place: str) -> None:
        """Remove all files at a place of the store's, and on this machine the folder that they were in."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
        from mlflow.utils.file_utils import local_file_uri_to_path

        get_artifact_repository(place, self._desk.store.uri).delete_artifacts()  # type: ignore[no-untyped-call]
        if place.startswith("file:"):
            with suppress(OSError):  # there is more in it
                Path(local_file_uri_to_path(place)).parent.rmdir()  # type: ignore[no-untyped-call]


def registered_name(name: object) -> str:
    """The name, if it is one that a model can be registered and asked for under.

    Raises:
        ParameterError: if it is not.
    """
    text = name_text("the model's name", name)
    if set(text) & set("/:'\"\\`%"):
        raise ParameterError(f"expected the model's name without / : ' \" \\ ` and %, got {text!r}")
    return text


def write_served(
    model: "Recommender",
    path: Path,
    metrics: Mapping[str, float] | None = None,
    notes: Mapping[str, str] | None = None,
    saved: Path | None = None,
) -> None:
    """Write the model in MLflow's form: the saved folder, the code that serves it, signature and example."""
    import mlflow.pyfunc

    with scratch() as folder:
        bundle = folder / "bundle"  # MLflow keeps the name
        shutil.copytree(saved, bundle) if saved else model.save(bundle, metrics, notes)
        mlflow.pyfunc.save_model(
            str(path),
            python_model=str(Path(__file__).with_name("serving.py")),
            artifacts={"bundle": str(bundle)},
            code_paths=[str(Path(recsys_gru.__file__).parent)],
            signature=signature(model.vocabulary_.ids),
            input_example=example(model),
            pip_requirements=requirements(),
        )


def check_answers(path: Path, question: "pd.DataFrame", params: dict[str, object]) -> None:
    """Load the served form and ask it; MLflow itself would only warn.

    Raises:
        TrackingError: if it does not answer with items.
    """
    import mlflow.pyfunc

    try:
        answers = mlflow.pyfunc.load_model(str(path)).predict(question, params=params)
    except Exception as error:
        raise TrackingError(
            f"the model cannot be served: {error}; it was not registered"
        ) from hiding_secrets(error)
    if len(answers) != 1 or not answers[0]["items"]:
        raise TrackingError(f"the model answers its example with {answers}: it was not registered")


def signature(ids: "pl.Series") -> "ModelSignature":
    """Lists of ids, whole numbers or text as the catalogue's are; k and exclude_seen as parameters.

    What the lists hold is looked at row by row, so that a row may lack one, or be refused alone.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType, Array

    anything = AnyType()  # type: ignore[no-untyped-call]
    one = Array(DataType.long if ids.dtype.is_integer() else DataType.string)
    lists: list[ColSpec | TensorSpec] = [
        ColSpec(anything, "items"),
        ColSpec(anything, "allow", required=False),
        ColSpec(anything, "deny", required=False),
    ]
    params = [ParamSpec("k", DataType.long, 20), ParamSpec("exclude_seen", DataType.boolean, default=True)]
    answer: list[ColSpec | TensorSpec] = [
        ColSpec(one, "items"),
        ColSpec(Array(DataType.double), "scores"),
        ColSpec(DataType.string, "source"),
        ColSpec(DataType.string, "error", required=False),
    ]
    return ModelSignature(Schema(lists), Schema(answer), ParamSchema(params))


def example(model: "Recommender") -> "tuple[pd.DataFrame, dict[str, object]]":
    """A session of some items of the catalogue, and the parameters."""
    import pandas as pd

    items = model.vocabulary_.ids.head(EXAMPLE_ITEMS).to_list()
    return pd.DataFrame({"items": [items]}), {"k": EXAMPLE_K, "exclude_seen": True}


def requirements() -> list[str]:
    """What serving needs, in the versions that are here."""
    from importlib.metadata import version

    return [f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS]
