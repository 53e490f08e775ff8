"""Conf: how the site is built, by ``sphinx-build -W -n docs docs/_build/html``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import causalflow  # noqa: E402

project = "causalflow"
author = "The causalflow developers"
project_copyright = author
version = release = causalflow.__version__
repository = os.environ.get("CAUSALFLOW_REPOSITORY", "")
"""The address under which a file of the repository is found: ``https://.../blob/main``."""

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "press.press"]
exclude_patterns = ["_build", "house", "press"]
default_role = "code"
nitpicky = True
suppress_warnings = ["myst.strikethrough"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
nb_execution_mode = "off"  # the press runs the tutorials: press.tutorials

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Source", "returns_style"), ("Sources", "returns_style")]

html_theme = "furo"
html_title = f"causalflow {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072b2", "color-brand-content": "#0072b2"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"},
}
