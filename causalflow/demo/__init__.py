"""The demo: the front-door bar model on real digits, its checkpoint and the log of its training."""
