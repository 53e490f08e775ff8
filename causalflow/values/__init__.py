"""Values: what a variable can be, read and shown by one rule a type, in Python as in any file.

    finite(levels)               the type of a class: `causalflow.values.finite` states the rule
    RealType(low, high)          of a continuous variable
    ImageType(shape, depth)      of an image
    CountType()                  of a count
    node.type                    one of them, of any node or exogenous variable

    type.read(given, where="node 'x'", error=DataError)    a value or a column -> stored values
    type.show(stored)                                      stored values -> as users see them
    type.read(type.show(stored)) == stored

Given is one value or one a row: text, number, list, numpy, pandas (categoricals, NA), tensor.
Stored are positions 0..K-1 of a class (int64, `GAP` = -1 for a gap), numbers of a continuous one
(float64, NaN for a gap). A gap is never a level: whoever cannot use it says so, or leaves the row
out:

    places = finite(("no", "yes")).read(frame["x"], where="column 'x'", error=DataError)
    complete = places != GAP
    levels = finite(("no", "yes")).names(places[complete])     # "no", "yes", ... as declared

A column of which no levels are declared: `occurring(column)` gives those that occur, gaps aside.
"""
