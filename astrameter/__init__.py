"""AstraMeter makes any electricity meter look like one that home batteries follow."""

from astrameter._version import VERSION as __version__

__all__ = ["__version__"]
