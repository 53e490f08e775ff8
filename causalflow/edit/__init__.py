"""Edits of a graph file's text: its comments, order and options stay.

text = cf.edit.edited(text, cf.edit.CutEdge("x", "y"), cf.edit.RenameNode("m", "dose"))
"""

from causalflow.edit.edit import (
    AddEdge,
    AddNode,
    CutEdge,
    DropNode,
    Edit,
    RenameNode,
    ReverseEdge,
    edited,
)

__all__ = [
    "AddEdge",
    "AddNode",
    "CutEdge",
    "DropNode",
    "Edit",
    "RenameNode",
    "ReverseEdge",
    "edited",
]
