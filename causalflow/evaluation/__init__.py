"""Evaluation: counterfactual pictures, held against judges and, where it is known, the truth.

evaluation    `cf.evaluate`: a model asked for the worlds of a task, and measured
task          rows and interventions; outcomes: what the model answers
measures      numbers and the registry of metrics; metrics: those that come with the package
judges        what reads a picture: networks, or readers of pixels
axioms, likeness, frechet, dci, score    the formulas, pure functions of pictures and codes
page, figures the report
"""
