"""Keys of sub-modules that belong to nodes.

``torch.nn.ModuleDict`` refuses keys that are names of its own attributes ("type", "items", "half",
...), all of which a user may call a node. A prefix keeps the two apart.
"""

from __future__ import annotations

__all__ = ["module_key"]


def module_key(name: str) -> str:
    """The key of node ``name`` in a ``ModuleDict``.

    Example:
        >>> module_key("type")
        'node:type'
    """
    return f"node:{name}"
