"""Missing: cells that rows do not show, filled while laws are fitted."""
