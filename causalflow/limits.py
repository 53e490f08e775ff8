"""Limits: how large an input may be, every limit of the package once, with the reason for it.

An input beyond a limit ends in one line of error before memory or time is spent on it.
"""

from __future__ import annotations

__all__ = [
    "ADJUSTMENT_TRIALS",
    "ARRAY_BYTES",
    "ARRAY_FILE_BYTES",
    "ARRAY_HEADER_BYTES",
    "ARRAY_MEMBERS",
    "BIF_LETTERS",
    "BOUND_CELLS",
    "BOXES_OF_A_DRAW",
    "BOXES_OF_A_ROW",
    "BOXES_OF_DRAWS",
    "BOX_OPERATIONS",
    "CATEGORICAL_CELLS",
    "CATEGORICAL_ROWS",
    "CIRCUIT_SIDE",
    "CONFOUNDER_STATES",
    "COUNTED_CELLS",
    "COUPLED_CELLS",
    "CSV_BYTES",
    "CSV_COLUMNS",
    "CSV_LINE_BYTES",
    "CUTS",
    "DENOMINATOR",
    "DEPENDENCE_LEVELS",
    "DEPENDENCE_ROWS",
    "DISTRICT_CELLS",
    "DRAWN_NUMBERS",
    "DRAWN_ROWS",
    "EDGES",
    "EDGE_LETTERS",
    "EDGE_LINKS",
    "EFFECT_CELLS",
    "ENTRY_LETTERS",
    "ENUMERATED_ROWS",
    "EQUATION_CELLS",
    "EQUATION_DEPTH",
    "EQUATION_LETTERS",
    "ERROR_LETTERS",
    "ESTIMATE_RESAMPLES",
    "EXOGENOUS_STATES",
    "EXPECTATION_CELLS",
    "FILE_QUERIES",
    "FIT_STEPS",
    "GRAPH_BYTES",
    "IDX_BYTES",
    "IMAGE_PIXELS",
    "JOINT_CELLS",
    "KEPT_PICTURES",
    "KEPT_PIXELS",
    "LABEL_BYTES",
    "LEVELS",
    "LINEAR_PROGRAM_SECONDS",
    "LISTED",
    "MEDIATION_PAIRS",
    "MODEL_BYTES",
    "MODEL_HEADER_BYTES",
    "MODEL_TENSORS",
    "MUTILATION_CELLS",
    "NAME_LETTERS",
    "NESTING",
    "NETWORK_STAGES",
    "NETWORK_WEIGHTS",
    "NODES",
    "NUMERAL_LETTERS",
    "OCCURRING_LEVELS",
    "OVERLAP_CELLS",
    "PICTURE_BYTES",
    "PICTURE_PIXELS",
    "PIECE_BYTES",
    "PLAN_CELLS",
    "PLAN_OPERATIONS",
    "POLYNOMIAL_WAYS",
    "POSTERIOR_ROWS",
    "POSTERIOR_STATES",
    "PROGRAM_ENTRIES",
    "QUERY_DEPTH",
    "QUERY_LETTERS",
    "REPRESENTATION_LENGTH",
    "RESPONSE_FUNCTIONS",
    "SEARCHED_CHANCES",
    "SETTINGS",
    "SHARD_FILES",
    "SOLVER_STEPS",
    "SOURCES",
    "SOURCE_CELLS",
    "SOURCE_FILES",
    "STATEMENT_LETTERS",
    "SUBSETS",
    "SUPPORT_CELLS",
    "TABLE_CELLS",
    "TABLE_ROWS",
    "TWO_MODELS_CELLS",
    "TWO_MODELS_EQUATIONS",
    "TWO_MODELS_TRIALS",
    "UNET_BLOCKS",
    "UNET_LEVELS",
    "UNIT_CELLS",
    "UNPACKED_RATIO",
    "UNPACKED_SMALL",
    "VECTOR_LETTERS",
    "VOLUME_BYTES",
    "WRITTEN_OUT",
]

# Errors

ERROR_LETTERS = 500
"""Letters of an error message: what a terminal shows at a glance; a longer one is cut."""

# Graph files and texts

GRAPH_BYTES = 1 << 20
"""Bytes of a YAML file: 10,000 nodes take half of it, and it is read in a second."""
BIF_LETTERS = 1 << 23
"""Letters of a BIF text, unpacked: the largest network of bnlearn's repository has 5 million."""
STATEMENT_LETTERS = 1_000_000
"""Letters of a DOT or dagitty text: its parser makes a hundred bytes of each."""
NESTING = 32
"""Depth of a YAML document: no field of a declaration lies deeper, and readers recurse."""
LISTED = 1 << 20
"""Entries of a list given in Python: a file of `GRAPH_BYTES` could hold no more."""
EDGE_LETTERS = 10_000
"""Letters of one edge entry: a chain or a group of a thousand names."""
EDGE_LINKS = 10_000
"""Edges of one entry: groups multiply, so they are counted before any is made."""
EDGES = 100_000
"""Edges of a graph, of either kind: each is an object that knows its line, 50 MB in all."""
NODES = 20_000
"""Nodes and exogenous variables of a graph: a file of that many is read in seconds."""
ENTRY_LETTERS = 60
"""Letters of a value within an error message: it is told apart, and leaves room for the rest."""
NAME_LETTERS = 100
"""Letters of a name: it is shown in every table, message and drawing."""
IMAGE_PIXELS = 1 << 26
"""Numbers of one image, 256 MiB in float32."""
LEVELS = 10_000
"""Levels of a class or of a finite exogenous variable: each is a row of tables and a name."""
REPRESENTATION_LENGTH = 10_000
"""Length of a representation's vector, the width of the layers that read it."""
DENOMINATOR = 10**400
"""Denominator of a probability: the smallest float, 5e-324, in its 17 digits has 10^340."""
TABLE_ROWS = 1 << 20
"""Rows of a declared table: each is held as exact fractions."""
TABLE_CELLS = 1 << 22
"""Probabilities of a declared table, each an exact fraction."""
NUMERAL_LETTERS = 400
"""Letters of a number in a value's text: a float of any size, written out in full, has 340."""
OVERLAP_CELLS = 100_000
"""Combinations of levels that a check of overlap looks through, in a second."""

# Equations

EQUATION_LETTERS = 10_000
"""Letters of an equation, blanks left out: a page of text."""
VECTOR_LETTERS = 1 << 20
"""Letters of an image's equations, one a pixel."""
EQUATION_DEPTH = 100
"""Depth of an equation's terms: evaluation recurses, several frames a level."""
BOXES_OF_A_ROW = 100_000
"""Boxes in which the noises that give a value are searched, a row: a second of work; a sine with
4,000 roots takes as many. More means that solutions lie closer than they can be told apart."""
BOXES_OF_A_DRAW = 10_000
"""The same where noises are drawn in thousands, for each draw."""
BOXES_OF_DRAWS = 60_000_000
"""The same for all draws together: a quarter of a minute."""
BOX_OPERATIONS = 40_000
"""Terms of an equation times the steps of one such search: some four seconds, whatever the number
of boxes; an equation of 800 terms can take fifty steps."""
WRITTEN_OUT = 20_000
"""Terms of an equation in which unobserved parents have been replaced by their own equations."""

# Queries

QUERY_LETTERS = 100_000
"""Letters of a query: some thousand pieces of evidence, read in two seconds."""
QUERY_DEPTH = 20
"""Depth of nested interventions in a query; readers recurse."""
FILE_QUERIES = 1_000
"""Queries of a graph file: `check` answers each, and says one line of each."""
SETTINGS = 10_000
"""Combinations of values of free interventions, each a world of its own."""
DRAWN_ROWS = 10_000_000
"""Rows that one call draws or answers: of a few labels they take a gigabyte."""
DRAWN_NUMBERS = 1 << 29
"""Numbers of all nodes that one call draws, 2 GiB in float32; a stream has no such limit."""
FIT_STEPS = 100_000_000
"""Gradient steps of a fit: months, at ten a second."""
SOLVER_STEPS = 1_000_000
"""Steps of a solver, each way; the default is 20."""

# Identification

SOURCES = 10
"""Distributions named as data: the search tries each of them at every step."""
SEARCHED_CHANCES = 120_000
"""Probabilities times nodes that the search for a formula from several distributions makes: about
two seconds; six nodes have a fifth of it, eight four times as many."""
TWO_MODELS_CELLS = 16_384
"""Values of all variables and hidden causes together, above which two models that agree on the data
are not looked for: half a second."""
TWO_MODELS_EQUATIONS = 150
"""Equations that are solved in exact numbers to find two such models: a second."""
UNIT_CELLS = 2_000_000
"""Units times cells of data up to which a question about several worlds is decided for two levels
by counting: a tenth of a second."""
TWO_MODELS_TRIALS = 12
"""Random models of each graph from which two that agree on the data are looked for."""
MEDIATION_PAIRS = 100
"""Minimal sets for each of the two conditions of mediation that are looked at, and combined."""
CUTS = 2_000
"""Cuts after which the search for separating sets ends, which ten variables cannot reach."""
ADJUSTMENT_TRIALS = 5_000
"""Sets tried for a front door or an instrument: their number doubles with each node."""
PATH_STEPS = 2_000
"""Beginnings of paths between two nodes that are followed: a second of a graph of fifty nodes."""
SUBSETS = 1 << 16
"""Subsets of which all adjustment sets, not only the minimal ones, are picked: a second of work."""

# Tables and exact models

PLAN_CELLS = 2**26
"""The largest table that a plan may make: 512 MiB of float64."""
PLAN_OPERATIONS = 2**34
"""The most multiplications that a plan may take: about a minute."""
DISTRICT_CELLS = 100_000
"""The most cells of a district's factor."""
ENUMERATED_ROWS = 2**14
"""The most rows of a model that are written out."""
EQUATION_CELLS = 2**24
"""The most combinations of arguments for which an equation is tabulated."""
COUPLED_CELLS = 2**18
"""The most probabilities of a joint law that are computed, one by one."""
FINITE_CELLS = 2**18
"""The most cells of a fitted table that is written out: a second of fractions."""
FINITE_OPERATIONS = 2**28
"""The multiplications from which an answer of a fitted model is simulated: seconds."""
POLYNOMIAL_WAYS = 50_000
"""The most ways of giving values to the ancestors of a question's terms."""
SUPPORT_CELLS = 20_000
"""The largest joint table of an estimand's variables that is looked through for gaps."""
RESPONSE_FUNCTIONS = 200_000
"""The most joint response functions of a district that a linear program is made of."""
BOUND_CELLS = 1_000
"""The most cells of a question's free variables; each takes two linear programs."""
LINEAR_PROGRAM_SECONDS = 60.0
"""Seconds that one linear program may take."""
COUNTED_CELLS = 2**20
"""The most cells that an estimate counts rows into: its 200 resamples take some 20 seconds then."""
EFFECT_CELLS = 50_000_000
"""The most rows times answers of an effect from rows: their influence values take 400 megabytes."""
ESTIMATE_RESAMPLES = 100_000
"""The most laws that are drawn for a sampling error: more would tell no more digits."""
DEPENDENCE_LEVELS = 12
"""The most different whole numbers of an undeclared column that a test of independence compares
as levels: of more, few rows share one."""
DEPENDENCE_ROWS = 10_000
"""The most rows that a test of independence by residuals looks at: a tenth of a second of one core,
and dependence that it overlooks in them is slight."""
INDEPENDENCES = 10_000
"""The most independences that one call holds against rows: a quarter of an hour."""
OCCURRING_LEVELS = 100
"""The most different values of an undeclared column that are taken for levels, not for numbers."""
JOINT_CELLS = 10_000_000
"""The most cells of the table of P(v) that rows are counted into."""
PROGRAM_ENTRIES = 100_000_000
"""The most entries of a linear program's matrix, zeros included."""

# Fitted models

CONFOUNDER_STATES = 4096
"""Joint states of a district's hidden roots, summed over for every row."""
EXOGENOUS_STATES = 1_000_000
"""Joint states of a district's exogenous variables that are enumerated."""
MUTILATION_CELLS = 100_000
"""Cells of the table of weights over a node's parents."""
EXPECTATION_CELLS = 50_000_000
"""Distinct rows times joint states that are held in memory."""
CATEGORICAL_ROWS = 100_000
"""Parents' configurations up to which a table is kept; beyond, a network."""
CATEGORICAL_CELLS = 1 << 24
"""Probabilities of a fitted table, 128 MiB in float64; beyond, a network."""
POSTERIOR_STATES = 100_000
"""Joint states of what evidence leaves open that are enumerated."""
POSTERIOR_ROWS = 1 << 20
"""Rows times states worked on at a time, 8 MiB a variable."""

# Files of data and of models

MODEL_BYTES = 16 * 2**30
"""Bytes of a model file: four thousand million weights."""
PIECE_BYTES = "5GB"
"""Size of a file from which on a model or a fit's state is written in pieces, as Hugging Face's."""
MODEL_TENSORS = 100_000
"""Tensors in a model file: the largest published network has under 2,000."""
NETWORK_WEIGHTS = 1 << 28
"""Weights of all networks of a model, 1 GiB in float32: counted before any is made."""
UNET_LEVELS = 12
"""Levels of a U-Net: each halves the image, which is padded to a multiple of 2 ** 11."""
UNET_BLOCKS = 100
"""Residual blocks of a U-Net's level; the deepest published have 3."""
NETWORK_STAGES = 1000
"""Stages of a published network, told by the names of its tensors."""
CONFIG_BYTES = 1 << 20
"""Bytes of the configuration of a network trained elsewhere; they have some thousand."""
CONFIG_NUMBER = 1 << 20
"""A whole number in it: more channels, levels or pixels no network has."""
SCHEDULE_LEVELS = 100_000
"""Levels of noise that a network was trained at; published ones have 1,000."""
CIRCUIT_SIDE = 4096
"""Pixels of a side of a data set's pictures; CausalCircuit's are published with 512."""
ARRAY_FILE_BYTES = 16 * 2**30
"""Bytes of an .npz file: more than the memory of most machines."""
ARRAY_BYTES = 16 * 2**30
"""Bytes that the arrays of an .npz file take in memory."""
ARRAY_MEMBERS = 10_000
"""Arrays in an .npz file, one a node."""
ARRAY_HEADER_BYTES = 10_000
"""Bytes of an array's header, which numpy evaluates as a literal; it writes about a hundred."""
UNPACKED_SMALL = 1 << 26
"""Bytes up to which a packed member may unpack by any factor: 64 MiB do no harm."""
UNPACKED_RATIO = 200
"""How often a larger member's size it may unpack to: pictures reach 50, zeros 1,000."""
CSV_BYTES = 1 << 30
"""Bytes of a CSV file: ten million rows of twenty columns."""
CSV_COLUMNS = 10_000
"""Columns of a CSV file, one a node; each is a column in memory."""
CSV_LINE_BYTES = 1 << 20
"""Bytes of a CSV file's line, which is held in memory as a whole: a hundred letters a column."""
IDX_BYTES = 1 << 28
"""Bytes that an idx file unpacks to: MNIST's largest has 47 million."""
PICTURE_BYTES = 1 << 28
"""Bytes of a picture's file."""
PICTURE_PIXELS = 1 << 26
"""Pixels of a picture, held against its header before it is decoded; voxels of a volume too."""
VOLUME_BYTES = 1 << 30
"""Bytes that a packed volume unpacks to: `PICTURE_PIXELS` numbers of 16 bytes."""
LABEL_BYTES = 1 << 20
"""Bytes of a file of one row's labels, as tar archives have them."""
SOURCE_FILES = 20_000_000
"""Files of a folder, members of tar archives, rows of a table: a hundred bytes each in memory."""
SOURCE_CELLS = 200_000_000
"""Numbers of all columns of labels of a file that may unpack to many from few bytes."""
SHARD_FILES = 100_000
"""Archives that a pattern like name-{000..999}.tar may name."""
MODEL_HEADER_BYTES = 1 << 24
"""Bytes of a model file's header: its graph, its options and a hundred bytes a tensor."""
KEPT_PICTURES = 16_384
"""Pictures that a model keeps a digest of: 130 kB of text in its file."""
KEPT_PIXELS = 1 << 28
"""Pixels read for the digests: half a minute of files, where the pictures are large."""
