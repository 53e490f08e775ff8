"""Tables of CausalDiffAE on Morpho-MNIST, whose true counterfactuals are known.

Each test picture is asked what it would have been with the thickness of another one, and with an
intensity drawn uniformly from 66 to 250 grey levels (the paper's: 64 to 250).
"""
