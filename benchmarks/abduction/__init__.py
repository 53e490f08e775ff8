"""Posterior abduction against closed forms and rejection runs, both written apart from the engine."""
