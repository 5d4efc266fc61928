"""Measured claims: one command each, every contender's decisions checked before its time counts."""
