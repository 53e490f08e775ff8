"""Dependence: whether rows show that two columns have to do with each other, given others."""
