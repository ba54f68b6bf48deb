"""Host side of microtill: bench, simulator, acquirer, device tools and release."""

__version__ = "0.1.0"
