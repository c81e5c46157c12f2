#!/usr/bin/env python3
"""Build a release and check it: `make release PYTHONS="python3.11 python3.12"`.

What HEAD holds is built twice, in two folders, and must give the same bytes; the wheel is installed where
nothing else is, under each Python that is there, and used; what was installed is told in an SBOM. All goes
into dist/.
"""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
SBOM_TOOL = "cyclonedx-bom==7.5.0"
USED = """
import recsys_gru as rg

log = rg.generate_clicks(n_sessions=300, n_items=40, days=4)
model = rg.GRU4Rec(layers=(16,), batch_size=16, n_sample=32, n_epochs=1).fit(log)
model.save("model")
asked = log["item_id"].head(2).to_list()
assert rg.load("model").recommend_one(asked, k=5).equals(model.recommend_one(asked, k=5))
"""
"""A model fitted, saved, loaded and asked."""


def main() -> None:
    """Everything, or the first thing that is wrong."""
    if run("git", "status", "--porcelain"):
        say("the checkout has changes that are not committed: they are not in the release")
    epoch = run("git", "log", "-1", "--format=%ct").strip()
    with tempfile.TemporaryDirectory() as place:
        one, two = (built(Path(place) / name, epoch) for name in ("one", "the-other"))
        if differing := [name for name in one if one[name] != two.get(name)]:
            sys.exit(f"built twice, not the same bytes: {differing}")
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for name, content in one.items():
        (DIST / name).write_bytes(content)
    say(f"built twice, the same bytes: {', '.join(one)}")
    wheel = next(DIST.glob("*.whl"))
    for asked in sys.argv[1:] or [f"python{version}" for version in SUPPORTED]:
        check(asked, wheel)
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(DIST.iterdir())
    ]
    (DIST / "SHA256SUMS").write_text("".join(sums))
    say(f"in dist: {', '.join(path.name for path in sorted(DIST.iterdir()))}")


def built(home: Path, epoch: str) -> dict[str, bytes]:
    """The source archive of HEAD and the wheel made of it, by name."""
    source, made = home / "source", home / "made"
    source.mkdir(parents=True)
    os.umask(0o022)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(source, filter="data")
    surroundings = {
        **os.environ,
        "SOURCE_DATE_EPOCH": epoch,
        "PIP_CONSTRAINT": str(source / "constraints.txt"),  # the same setuptools
        "PYTHONHASHSEED": "0",
    }
    surroundings.pop("PYTHONPATH", None)
    build = [sys.executable, "-m", "build", "--outdir", str(made)]
    subprocess.run([*build, "--sdist", str(source)], env=surroundings, check=True, capture_output=True)
    (sdist,) = made.glob("*.tar.gz")
    sdist.write_bytes(steady(sdist.read_bytes(), int(epoch)))
    with tarfile.open(sdist) as files:
        files.extractall(home / "unpacked", filter="data")
    (unpacked,) = (home / "unpacked").iterdir()
    subprocess.run([*build, "--wheel", str(unpacked)], env=surroundings, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in sorted(made.iterdir())}


def steady(archive: bytes, epoch: int) -> bytes:
    """The same files in order, of one time and nobody's: setuptools notes the time of the build."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as files,
        gzip.GzipFile("", "wb", fileobj=packed, mtime=epoch) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as out,
    ):
        for member in sorted(files.getmembers(), key=lambda one: one.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            out.addfile(member, files.extractfile(member) if member.isfile() else None)
    return packed.getvalue()


def check(python: str, wheel: Path) -> None:
    """Install and use the wheel in an environment of its own; what is in the first is told in the SBOM."""
    found = shutil.which(python)
    told = subprocess.run([found or "false", "-V"], capture_output=True, text=True, check=False)
    if found is None or told.returncode:
        say(f"{python}: not here, not checked")
        return
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

        def called(*words: object) -> str:
            done = subprocess.run(
                list(map(str, words)), cwd=home, env=surroundings, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"{told.stdout.strip()}: {' '.join(map(str, words))[:200]}\n{done.stderr[-3000:]}")
            return done.stdout

        called(found, "-m", "venv", home / "env")
        bin_folder = home / "env" / "bin"
        flags = os.environ.get("PIP_FLAGS", "").split()
        called(bin_folder / "python", "-m", "pip", "install", "--quiet", *flags, wheel)
        called(bin_folder / "python", "-m", "pip", "check")
        called(bin_folder / "python", "-c", USED)
        for words in (
            ["--version"],
            ["verify"],
            ["recommend", "model", "--items", "1", "--k", "3"],
            ["doctor"],
        ):
            called(bin_folder / "recsys-gru", *words)
        say(f"{told.stdout.strip()}: installed alone, fits, saves, loads, answers; certificate passed")
        sbom = DIST / f"{wheel.name.split('-py3')[0]}.cdx.json"
        if not sbom.exists():
            called(sys.executable, "-m", "venv", home / "tool")
            called(home / "tool" / "bin" / "python", "-m", "pip", "install", "--quiet", SBOM_TOOL)
            tell = [
                home / "tool" / "bin" / "cyclonedx-py",
                "environment",
                "--output-reproducible",
                "--of",
                "JSON",
            ]
            called(*tell, "--pyproject", ROOT / "pyproject.toml", "-o", sbom, bin_folder / "python")


def run(*words: str) -> str:
    """What a command prints, in the checkout."""
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def say(text: str) -> None:
    """A line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
