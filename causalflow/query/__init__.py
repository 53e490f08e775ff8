"""Causal questions: their text, what a question is made of, and the answer that comes back.

A query is a conjunction of counterfactual terms, perhaps given another, over the variables of a
graph. Nothing here answers it: `causalflow.identify` and the models do. No torch is imported.
"""
