"""Pyro: models as programs of Pyro, and such programs as graphs; needs the extra `pyro`."""
