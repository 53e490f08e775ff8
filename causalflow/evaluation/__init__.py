"""Scores of counterfactuals: pure functions of images; none asks the model that made them.

    composition     the null intervention gives the factual picture back
    reversibility   an intervention undone gives the factual picture back
    true_error      distance to the true counterfactual, where a data set knows it
    effectiveness   the picture shows what was done
    amplification   attributes that were not to change stay
    minimality      the picture moved no further than real ones of its new class (CLD)
    interpretability  it looks like real pictures of its new class (IM1, IM2)
    frechet         the pictures are distributed like real ones, in the features of a named judge

Each returns a `Score`: a mean over images with its 95 % interval, count and unit.
"""
