"""Tables of CausalDiffAE on the pendulum, whose true counterfactual pictures are known.

Labels are measured on the pictures (`causalflow.evaluation.readers`), by no network. Each picture
is asked for one value of its own of each label, uniform on the paper's ranges, which are also its
units: an error is divided by half the range of its label.
"""
