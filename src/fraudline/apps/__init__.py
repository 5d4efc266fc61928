"""Doors for people and machines: thin, and strangers to each other."""
