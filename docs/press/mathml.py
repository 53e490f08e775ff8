"""MathML: formulas of a page, as a browser sets them without a script or a font of ours."""

from __future__ import annotations

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

__all__ = ["formula", "setup"]

_ACCENT = re.compile(
    r"<munderover>\s*(<(\w+)>[^<]*</\2>)\s*(<(\w+)>[^<]*</\4>)\s*"
    r"(<mo[^>]*>[\u02c6\u02c9~]</mo>)\s*</munderover>"
)
"""A letter with an index and a hat or a bar: the index belongs behind it, not below."""


def formula(text: str, block: bool) -> str:
    """A formula in LaTeX as MathML, on a line of its own or within one."""
    if "\\\\" in text and "\\begin" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    made = str(tex2mathml(text, as_block=block))
    return _ACCENT.sub(r'<msub><mover accent="true">\1\5</mover>\3</msub>', made)


def _inline(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(formula(node.astext(), False))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(f'<div class="formula">{formula(node.astext().strip(), True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """A math renderer of the name "mathml"."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
