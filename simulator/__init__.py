"""A deterministic house for the unmodified appliance: household, batteries, meters, network, time.

``simulator`` imports ``astrameter``, never the reverse: what lives here meets the appliance only
over the network, as its real counterpart does.
"""
