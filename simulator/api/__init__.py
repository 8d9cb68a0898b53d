"""The HTTP API of a simulation (simulator.md section 7): both ends of it.

:mod:`.requests` (bodies to operations and back, no I/O), :mod:`.guard` (who may change things),
:mod:`.resource` (routes), :mod:`.stream` (``/events``), :mod:`.server` (the port), :mod:`.events`
(what a stream says), :mod:`.remote` (a simulation elsewhere as a console sees it).
"""
