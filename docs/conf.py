"""What Sphinx is told of the site. Its pages are the Markdown files of the repository, where they lie."""

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

import recsys_gru

ROOT = Path(__file__).resolve().parents[1]
FORGE = os.environ.get("FORGE", "")
"""Where the repository's folders can be looked at, such as https://forge/owner/recsys-gru/tree/main/."""
DOORS = ("docs/tutorials", "docs/how-to", "docs/reference", "docs/explanation")
MENUS = ("docs/index", *DOORS, "docs/decisions/README", "docs/api")
"""Pages that only list others."""

project = "recsys-gru"
version = release = recsys_gru.__version__
author = "recsys-gru contributors"
project_copyright = author
extensions = [
    "myst_nb",
    *(f"sphinx.ext.{name}" for name in ("autodoc", "autosummary", "napoleon", "viewcode")),
]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "benchmarks/*.md", "mlruns/README.md"]
exclude_patterns = [".*", "build", "recsys_gru", "pipelines", "tests", "docs/**/.*"]

nitpicky = True
nitpick_ignore_regex = [
    ("py:class", ".*")
]  # types of other libraries, and of rooms' insides, have no page here

myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_execution_excludepatterns = os.environ.get("NOT_RUN", "").split()  # pages whose cells are only shown
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_show_tb = True
nb_output_stderr = "error"  # what warns, fails
os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")  # progress bars ask for widgets

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"
napoleon_custom_sections = ["Source"]

html_theme = "pydata_sphinx_theme"
html_title = "recsys-gru"
html_static_path = ["site/site.css"]
html_css_files = ["site.css"]
html_extra_path = ["site/index.html"]  # the site's own address goes on to docs/index.html
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_prev_next": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_show_sourcelink = False


def with_menus(_: object, name: str, source: list[str]) -> None:
    """Make the menus of a page that only lists others from its lists: one for each heading."""
    parts = source[0].split("\n## ") if name in MENUS else []
    for part in parts:
        links = re.findall(r"^- (?:\*\*)?\[(.+?)\]\((.+?\.md)\)", part, re.MULTILINE)
        if links:
            listed = [f"{title} <{page}>" for title, page in links]
            caption = [f":caption: {part.splitlines()[0]}"] if name in DOORS and part is not parts[0] else []
            source[0] += "\n".join(["\n```{toctree}", ":hidden:", *caption, "", *listed, "```", ""])


def without_folders(_: object, name: str, source: list[str]) -> None:
    """Link folders of the code, which are no pages, to the forge; where there is none they are only named."""
    home = (ROOT / name).parent

    def named(link: re.Match[str]) -> str:
        if not (home / link[2]).is_dir():
            return link[0]
        return f"[{link[1]}]({FORGE}{os.path.relpath(home / link[2], ROOT)})" if FORGE else f"`{link[1]}`"

    source[0] = re.sub(r"\[([^\[\]]+)\]\((\.\.[^()#]*)\)", named, source[0])


def setup(app: Sphinx) -> None:
    """Say what is done with each source as it is read."""
    app.connect("source-read", with_menus)
    app.connect("source-read", without_folders)
