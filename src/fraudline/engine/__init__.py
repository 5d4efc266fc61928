"""Decides. Opens nothing, asks nobody the time, draws no chance: values in, values out."""
