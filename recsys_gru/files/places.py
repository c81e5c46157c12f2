"""Where files lie: in a folder of this machine, or in an object store such as S3.

The one home of what speaks to object stores. A folder there is made of objects, each whole or not there; one
that must be whole together is named by an index, written last.
"""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, TypeAlias, TypeVar, final

from recsys_gru.errors import ParameterError, StoreError

Answer = TypeVar("Answer")
SCHEMES = ("s3", "gs", "az")
CHUNK = 8 << 20
"""Bytes of an object that are in memory at once."""


@final
class Url(PurePosixPath):
    """A folder or file of an object store; its parts are taken and joined as those of a path.

    >>> str(Url("s3://shop/logs") / "monday.parquet")
    's3://shop/logs/monday.parquet'
    """

    def __str__(self) -> str:
        return super().__str__().replace(":/", "://", 1)


Place: TypeAlias = Path | Url


def place_at(name: str | os.PathLike[str]) -> Place:
    """What a name stands for: a URL is one too where pathlib has taken it for a path.

    >>> place_at("s3://shop/logs") == place_at(Path("s3://shop/logs"))
    True
    """
    text = os.fspath(name)
    scheme, is_url, _ = text.partition(":/")
    return Url(text) if is_url and scheme in SCHEMES else Path(text)


def absolute(place: Place) -> Place:
    """The same place, from wherever one looks."""
    return place.absolute() if isinstance(place, Path) else place


def exists(place: Place) -> bool:
    """Whether there is such a file or, on this machine, folder."""
    if isinstance(place, Path):
        return place.exists()
    try:
        _asked(place, lambda api, store, key: api.head(store, key))
    except FileNotFoundError:
        return False
    return True


def first_bytes(url: Url, most: int) -> bytes:
    """How an object begins."""

    def start(api: Any, store: Any, key: str) -> bytes:  # noqa: ANN401 - a library that need not be there
        size = api.head(store, key)["size"]
        return bytes(api.get_range(store, key, start=0, end=min(size, most))) if size else b""

    return _asked(url, start)


def read_text(place: Place) -> str:
    """The text of a file.

    Raises:
        FileNotFoundError: there is none.
    """
    if isinstance(place, Path):
        return place.read_text()
    return _asked(place, lambda api, store, key: bytes(api.get(store, key).bytes()).decode())


def write_text(place: Place, text: str) -> None:
    """Write a file that is there whole or not at all."""
    if isinstance(place, Path):
        aside = place.with_name(f".{place.name}")
        aside.write_text(text)
        aside.replace(place)
    else:
        _asked(place, lambda api, store, key: api.put(store, key, text.encode()))


def objects_in(url: Url) -> dict[Url, int]:
    """Every object of a folder in a store, or the one object of that name, in order, with its size."""

    def listed(api: Any, store: Any, key: str) -> dict[str, int]:  # noqa: ANN401
        found = {one["path"]: one["size"] for some in api.list(store, key or None) for one in some}
        with suppress(FileNotFoundError):
            return found or {key: api.head(store, key)["size"]}
        return found

    found, bucket = _asked(url, listed), Url(*url.parts[:2])
    return {bucket / name: found[name] for name in sorted(found)}


def remove(place: Place) -> None:
    """Take away a folder, or what is left of one, also while a dying worker writes there by its name."""
    if isinstance(place, Path):
        gone = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):
            place.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    else:
        drop(objects_in(place))


def drop(objects: Iterable[Url]) -> None:
    """Take away objects of one bucket."""
    if gone := sorted(objects):
        keys = ["/".join(one.parts[2:]) for one in gone]
        _asked(gone[0], lambda api, store, _: api.delete(store, keys))


def send(folder: Path, url: Url, names: Iterable[str]) -> None:
    """Put files of a folder into a store."""
    for name in names:
        _asked(url / name, lambda api, store, key, name=name: api.put(store, key, folder / name))  # type: ignore[misc]


def fetch(url: Url, folder: Path, names: Iterable[str]) -> None:
    """Bring files of a folder in a store into one of this machine.

    Raises:
        StoreError: one is not there.
    """
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            _asked(url / name, lambda api, store, key, file=file: _save(api.get(store, key), file))  # type: ignore[misc]
        except FileNotFoundError as error:
            raise StoreError(
                f"expected an object {url / name}, there is none. What to do: prepare the log again"
            ) from error


def names_in(folder: Path) -> list[str]:
    """Every file of a folder by its path in it, in order."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@contextmanager
def whole(place: Place) -> Iterator[Path]:
    """A folder that is there whole or not at all, whoever is killed and whoever else does the same work."""
    if isinstance(place, Path):
        aside = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
        aside.mkdir(parents=True)
        try:
            yield aside
            aside.rename(place)
        except OSError:
            if not place.exists():
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
            content = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
            names = names_in(Path(folder))
            send(Path(folder), content, names)
            write_text(_index(place), json.dumps({"content": content.name, "names": names}))


def is_whole(place: Place) -> bool:
    """Whether a folder that is written by ``whole`` is there."""
    return exists(place if isinstance(place, Path) else _index(place))


def wholes(place: Place) -> list[Place]:
    """The folders in a place that are there whole."""
    if isinstance(place, Path):
        return [path for path in sorted(place.iterdir()) if not path.name.startswith(".")]
    inside = [url for url in objects_in(place) if url.parent == place and url.suffix == _INDEX]
    return [url.with_suffix("") for url in inside]


def inside(place: Place) -> list[Place]:
    """The files of a folder that is whole."""
    if isinstance(place, Path):
        return [place / name for name in names_in(place)]
    content, names = _content(place)
    return [content / name for name in names]


def at_hand(place: Place, folder: Path, names: Iterable[str] = ()) -> Path:
    """A whole folder on this machine: itself, or a copy of these files of it, of all where none is named."""
    if isinstance(place, Path):
        return place
    content, known = _content(place)
    folder.mkdir(parents=True, exist_ok=True)
    fetch(content, folder, tuple(names) or known)
    return folder


@contextmanager
def written(place: Place) -> Iterator[Path]:
    """A file to write: itself, or one that is put into its store at the end."""
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
        yield place
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / place.name
            send(Path(folder), place.parent, [place.name])


_INDEX = ".json"


def _index(url: Url) -> Url:
    return url.with_name(url.name + _INDEX)


def _content(url: Url) -> tuple[Url, list[str]]:
    """Where the content of a whole folder lies, and the names of its files."""
    told = json.loads(read_text(_index(url)))
    return url.with_name(told["content"]), told["names"]


def _save(answer: Any, file: Path) -> None:  # noqa: ANN401 - a library that need not be there
    with file.open("wb") as opened:
        for part in answer.stream(min_chunk_size=CHUNK):
            opened.write(part)


def _asked(url: Url, ask: Callable[[Any, Any, str], Answer]) -> Answer:
    """What a store answers.

    Raises:
        FileNotFoundError: there is no such object.
        StoreError: the store, or the bucket, cannot be used.
    """
    api, bucket = _library(), str(Url(*url.parts[:2]))
    surroundings = frozenset((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    try:
        return ask(api, _opened(bucket, surroundings), "/".join(url.parts[2:]))
    except (api.exceptions.BaseError, FileNotFoundError) as error:
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
            raise FileNotFoundError(f"there is no object {url}") from error
        raise StoreError(_trouble(bucket, url, str(error))) from error


@lru_cache(maxsize=4)
def _opened(bucket: str, surroundings: frozenset[tuple[str, str]]) -> Any:  # noqa: ANN401
    """A bucket, whose connections are used again; other surroundings may mean another one."""
    plain = dict(surroundings).get("AWS_ENDPOINT_URL", "").startswith("http://")
    return _library().store.from_url(bucket, client_options={"allow_http": plain})


def _trouble(bucket: str, url: Url, said: str) -> str:
    """What is wrong, in words, and what to do."""
    if "NoSuchBucket" in said:
        return f"expected a bucket {bucket}, the store has none. What to do: make it, or check the name"
    if any(word in said for word in ("403", "401", "privileges", "AccessDenied")):
        return (
            f"expected a key that may use {url}, the store refused the one given. What to do: set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, on every machine that works on it"
        )
    return (
        f"expected an answer about {url}, the store gave none: {said.splitlines()[0]}. What to do: check "
        "AWS_ENDPOINT_URL, the network and the store, then call again"
    )


def _library() -> ModuleType:
    try:
        import obstore
        import obstore.store
    except ModuleNotFoundError as error:
        raise ParameterError(
            "object stores need their library, on every machine that works on them: pip install "
            "'recsys-gru[s3]'"
        ) from error
    return obstore
