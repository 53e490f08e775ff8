"""Evaluation: counterfactual pictures, held against judges and, where it is known, the truth.

evaluation    `cf.evaluate`: a model asked for the worlds of a task, and measured
task          rows and interventions; outcomes: what the model answers
gallery       pictures that any tool made; exhibition: what metrics may look at of them
bench         what a metric may look at; metrics, closeness: those of the package
judges        what reads a picture: networks, or readers of pixels
axioms, distances, minimality, likeness, frechet, dci, score    the formulas, pure functions
page, figures the report
"""
