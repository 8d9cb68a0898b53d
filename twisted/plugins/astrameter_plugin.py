"""Makes ``twistd astrameter`` known to Twisted."""

from twisted.application.service import ServiceMaker

AstraMeter = ServiceMaker(
    "AstraMeter",
    "astrameter.tap",
    "Makes any electricity meter look like one that home batteries follow.",
    "astrameter",
)
