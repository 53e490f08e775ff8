"""Scores of counterfactuals: pure functions of images; none asks the model that made them."""
