"""The entities of search optimisation."""
