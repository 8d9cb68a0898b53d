"""Sources of grid power: one vendor or transport a file.

The name of a file here *is* the configuration section it serves: ``json_http.py`` serves
``[JSON_HTTP]`` and every section whose name starts so. Each such module offers one
:class:`~astrameter.meters.interface.MeterKind` named ``KIND``; nothing else needs an edit.
"""
