"""Checkpoints: of every model that ships its tensors' names and shapes, and a counterfactual."""

import json
from functools import partial

import torch
from golden_files import digest, numbers
from safetensors import safe_open

import causalflow as cf

TOLERANCE = 2e-3
"""Of pictures in [0, 1]: three solver steps through networks whose sums differ by 1e-6."""
ROWS = 2


def of_file(name):
    with safe_open(cf.data.checkpoint_path(name), framework="numpy") as file:
        keys = sorted(file.keys())
        texts = file.metadata()
        shapes = {key: list(file.get_slice(key).get_shape()) for key in keys}
    kept = sorted(json.loads(texts["options"])) if "options" in texts else []
    lines = "\n".join(f"{key} {shape}" for key, shape in shapes.items())
    return {
        "tensors": len(keys),
        "numbers": sum(torch.Size(shape).numel() for shape in shapes.values()),
        "names and shapes": digest(lines),
        "some": [f"{key} {shapes[key]}" for key in keys[:: max(1, len(keys) // 12)]],
        "metadata": sorted(texts),
        "options": kept,
        "graph": digest(texts["graph"]),
    }


def picture(shape):
    """Smooth pictures that no data set has: waves, in [0, 1]."""
    channels, height, width = shape
    y = torch.linspace(0, 6, height)[:, None]
    x = torch.linspace(0, 4, width)[None]
    waves = [
        0.5 + 0.5 * torch.sin(x * (1 + k) + y + row) for row in range(ROWS) for k in range(channels)
    ]
    return torch.stack(waves).reshape(ROWS, channels, height, width)


def of_answer(name):
    """Two rows, three steps: labels drawn by the model itself, pictures of waves."""
    model = cf.Model.load(cf.data.checkpoint_path(name))
    pictures = {
        node: picture(declared.shape)
        for node, declared in model.graph.nodes.items()
        if hasattr(declared, "shape")
    }
    labels = [node for node in model.graph.nodes if node not in pictures]
    drawn = model.sample(ROWS, nodes=labels, generator=1)
    facts = {**{node: drawn[node] for node in labels}, **pictures}
    first = labels[0]
    value = drawn[first].flip(0)
    other = model.counterfactual(facts, {first: value}, steps=3)
    return {
        "model": repr(model),
        "drawn": {node: numbers(drawn[node]) for node in labels},
        "other": {node: numbers(values) for node, values in other.items()},
        "calls": float(other.info.network_calls),
        "describe": digest(model.describe().to_csv()),
    }


CASES = {
    **{f"file {name}": partial(of_file, name) for name in cf.data.checkpoint_names()},
    **{f"answer {name}": partial(of_answer, name) for name in cf.data.checkpoint_names()},
}
