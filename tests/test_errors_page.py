"""Every error and warning has its place on docs/errors.md, and errors name it."""

import ast
import importlib
import pickle
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.plumbing.errors import PipelineError
from recsys_gru.cli import main
from recsys_gru.errors import InputError, RecsysError

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
ANCHORS = {title.lower() for title in re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)}
WORDS = re.findall(r"^\| `(.+?)` \|", PAGE, re.MULTILINE)
WARNERS = {
    "clicks/check.py": ("BY_ITEM", "tied_warning"),
    "clicks/sessionize.py": ("reused_ids",),
    "exploration/profile.py": ("warnings",),
    "sessions/doctor.py": ("_WORRIES", "_warnings"),
    "evaluation/reporting.py": ("ONLY_MISSES",),
    "evaluation/sanity.py": ("warnings_of",),
    "evaluation/views.py": ("doubts", "_learned_already"),
}
"""Where the sentences are: functions and constants of a file."""
SENTENCE = 40
"""Letters of the shortest; others are names of figures and the like."""


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    """The class and those derived from it, where they are the project's."""
    yield kind
    for one in kind.__subclasses__():
        if one.__module__.startswith(("recsys_gru.", "pipelines.")):
            yield from below(one)


def texts(node: ast.AST) -> Iterator[str]:
    """The texts below a node, as far as they are written down; what is filled in is a dot."""
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "." for part in node.values)
        yield "".join(map(str, parts))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def sentences() -> Iterator[str]:
    """The sentences of all warners, and all that is logged as a warning."""
    for path in sorted((ROOT / "recsys_gru").rglob("*.py")):
        names = WARNERS.get(path.relative_to(ROOT / "recsys_gru").as_posix(), ())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name in names:
                body = node.body[1:]  # but the docstring
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in names:
                body = [node]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "log.warning":
                body = [ast.Expr(node.args[0])]
            else:
                continue
            yield from (text for part in body for text in texts(part) if len(text) > SENTENCE)


def test_every_error_has_its_place() -> None:
    for name in ("recsys_gru.serving.served", "recsys_gru.serving.refusal"):
        importlib.import_module(name)
    found = {kind.__name__.lower() for root in (RecsysError, PipelineError) for kind in below(root)}
    assert found == ANCHORS - {"errors", "warnings"}


def test_every_warning_is_found_by_its_words() -> None:
    said = [" ".join(sentence.split()) for sentence in sentences()]
    assert len(said) >= 18
    assert [sentence for sentence in said if not any(words in sentence for words in WORDS)] == []
    everything = " ".join(
        text
        for path in (ROOT / "recsys_gru").rglob("*.py")
        for text in texts(ast.parse(path.read_text(encoding="utf-8")))
    )
    assert [words for words in WORDS if words not in everything] == []


class OwnError(InputError):
    """Of somebody else's module."""


@pytest.mark.parametrize("kind", [InputError, OwnError])
def test_a_traceback_ends_with_the_place_and_the_message_does_not(kind: type[InputError]) -> None:
    for error in (kind("expected a log"), pickle.loads(pickle.dumps(kind("expected a log")))):  # noqa: S301
        assert str(error) == "expected a log"
        assert traceback.format_exception(error)[-1] == "help: docs/errors.md#inputerror\n"
        assert len(error.__notes__) == 1


def test_the_command_line_names_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["verify", "nowhere"])
    assert capsys.readouterr().err.endswith("(help: docs/errors.md#inputerror)\n")
