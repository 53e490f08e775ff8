"""Effects: causal answers from rows, by cross-fitted learners, with standard errors."""
