"""Folders of this machine; those of object stores are tested with the engine that needs them."""

import threading
from pathlib import Path

from recsys_gru.files import Place, Url, place_at, remove


def test_a_url_is_known_also_where_pathlib_took_it_for_a_path() -> None:
    same: list[Place] = [place_at("s3://shop/a"), place_at(Path("s3://shop/a")), Url("s3://shop") / "a"]
    assert {str(place) for place in same} == {"s3://shop/a"}
    assert [place_at(name) for name in ("data/s3:/a", "http:/a")] == [Path("data/s3:/a"), Path("http:/a")]


def test_a_folder_goes_at_once_also_while_somebody_writes_there(tmp_path: Path) -> None:
    folder, begun = tmp_path / "work", threading.Event()
    folder.mkdir()

    def write() -> None:
        number = 0
        try:
            while True:
                number += 1
                (folder / f"{number}").touch()
                if number > 500:
                    begun.set()
        except FileNotFoundError:  # it is gone
            pass

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    remove(folder)
    writer.join()
    assert not [*tmp_path.iterdir()]
