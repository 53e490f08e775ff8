"""Effects: intervals of estimates from rows, held against the truth, beside EconML and DoWhy."""
