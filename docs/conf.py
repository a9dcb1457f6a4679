"""Settings of the docs site: `tox -e docs` builds it with Sphinx from the Markdown beside this file."""

import re

from sphinx.application import Sphinx

import asyncflow

project = "asyncflow"
author = "asyncflow contributors"
project_copyright = author
version = release = asyncflow.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"asyncflow {version}"

nitpicky = False
myst_heading_anchors = 4  # links to headings work as they do in a repository's viewer
suppress_warnings = ["myst.header"]

# Docstrings put code in single backticks.
default_role = "code"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_ivar = True  # or an attribute that is annotated, too, would be described twice
autodoc_default_options = {"members": True, "inherited-members": False, "undoc-members": False}
python_use_unqualified_type_names = True


def _links_that_stay(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Files outside of docs/ are no pages of the site: a link to one becomes its text."""
    source[0] = re.sub(
        r"\[([^][]+)\]\((?:\.\./)+(?:examples|benchmarks|backends|asyncflow|tests|[A-Z]+)[^)]*\)",
        r"\1",
        source[0],
    )


def setup(app: Sphinx) -> None:
    app.connect("source-read", _links_that_stay)
