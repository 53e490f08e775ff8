"""Tables: factors with named axes and their sum-product, in floats or exact fractions."""
