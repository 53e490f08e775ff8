"""How large an input may be: every limit of the package, once, with the reason for it.

An input beyond a limit ends in one line of error before memory or time is spent on it.
"""

from __future__ import annotations

__all__ = ["ERROR_LETTERS"]

ERROR_LETTERS = 500
"""Letters of an error message: what a terminal shows at a glance; a longer one is cut."""
