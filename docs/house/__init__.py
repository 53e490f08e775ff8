"""The house as measured: what `docs/architecture.py` says of a checkout of this repository."""
