"""Graph: what a user declares, as one immutable value, and the YAML that it is written in."""
