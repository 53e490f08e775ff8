"""Keys of sub-modules that belong to nodes.

``torch.nn.ModuleDict`` refuses keys that are names of its own attributes ("type", "items", "half",
...), all of which a user may call a node, and any key with a dot. A prefix keeps the names apart,
and a dot is written as in a web address.
"""

from __future__ import annotations

__all__ = ["module_key"]


def module_key(name: str) -> str:
    """The key of node ``name`` in a ``ModuleDict``.

    Example:
        >>> module_key("type"), module_key("X.ray")
        ('node:type', 'node:X%2Eray')
    """
    return f"node:{name.replace('%', '%25').replace('.', '%2E')}"
