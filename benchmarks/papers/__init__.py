"""The experiments of the four papers, each with its own numbers beside the papers'."""
