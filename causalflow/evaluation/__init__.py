"""Evaluation: counterfactual pictures, held against judges and, where it is known, the truth.

evaluation    `cf.evaluate`: a model asked for the worlds of a task, and measured
task          rows and interventions; outcomes: what the model answers
bench         what a metric may look at; metrics: what they are, and those of the package
judges        what reads a picture: networks, or readers of pixels
axioms, likeness, frechet, dci, score    the formulas, pure functions of pictures and codes
page, figures the report
"""
