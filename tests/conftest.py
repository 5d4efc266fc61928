"""What every test runs under: Hypothesis never judges by the clock, which says more about the machine than the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fraudline", deadline=None)
settings.load_profile("fraudline")
