"""An independent reader of MathML: the text of a formula, from its elements alone."""

from xml.etree import ElementTree

SIGNS = {"∑": "sum", "∣": " | ", "−": "-", ",": ", ", "′": "'", "′′": "''", "′′′": "'''"}


def read(mathml):
    """The formula in the signs of its text form, blanks left out."""
    whole = ElementTree.fromstring(f"<all>{mathml}</all>")
    return "".join(map(_text, whole)).replace(" ", "")


def elements(mathml):
    return list(ElementTree.fromstring(f"<all>{mathml}</all>"))


def _text(node):
    parts = [_text(child) for child in node]
    match node.tag.removeprefix("{http://www.w3.org/1998/Math/MathML}"):
        case "mi" | "mn" | "mo" | "mtext":
            assert not parts, f"<{node.tag}> holds text alone"
            return SIGNS.get(node.text, node.text).replace("−", "-")
        case "msub":
            head, below = parts
            return f"{head}{below}" if below.isdecimal() else f"{head}_{below}"
        case "msup":
            return "".join(parts)
        case "munder":
            sign, over = parts
            return f"{sign}_{{{over}}}" if "," in over else f"{sign}_{over}"
        case "mfrac":
            above, below = parts
            return f"[{above}]/[{below}]"
        case "mrow" | "math" | "mtable" | "mtr" | "mtd":
            return "".join(parts)
        case "mspace":
            return ""
    raise AssertionError(f"<{node.tag}> is no element of these formulas")
