"""Edits of a graph file's text: its comments, order and options stay.

Example:
    text = cf.edit.edited(text, cf.edit.CutEdge("x", "y"), cf.edit.RenameNode("m", "dose"))
"""

from causalflow.edit.edges import (
    AddEdge,
    CompileEdge,
    ConfoundEdge,
    CutEdge,
    DirectEdge,
    ReverseEdge,
)
from causalflow.edit.edit import Edit, edited
from causalflow.edit.layout import PlaceNodes
from causalflow.edit.nodes import AddNode, DropNode, HideNode, RenameNode, ShowNode, TypeNode

__all__ = [
    "AddEdge",
    "AddNode",
    "CompileEdge",
    "ConfoundEdge",
    "CutEdge",
    "DirectEdge",
    "DropNode",
    "Edit",
    "HideNode",
    "PlaceNodes",
    "RenameNode",
    "ReverseEdge",
    "ShowNode",
    "TypeNode",
    "edited",
]
