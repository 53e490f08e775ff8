"""Posterior abduction against closed forms and rejection runs, written apart from the engine."""
