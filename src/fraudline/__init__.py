"""fraudline decides, in real time and explainably, whether a transaction is fraud."""

__version__ = "0.1.0"
