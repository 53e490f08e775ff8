"""Causal questions: what a query is made of (`query`), and its written language (`language`).

A query is a conjunction of counterfactual terms, perhaps given another, over the variables of a
graph. Nothing here answers it: `causalflow.identify` and the models do. No torch is imported.
"""
