"""Scenes: pictures whose true counterfactuals are known, by our model and by its peers."""
