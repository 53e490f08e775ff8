"""Scenes: pictures of ours whose every counterfactual is known, one family a module."""
