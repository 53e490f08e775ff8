"""Guidance: what is added to the velocity so that the flow obeys more than its network was told."""
