"""Simulated home batteries that poll a CT over UDP as their real counterparts do.

From the inside out: :mod:`.inverter` (the plant), :mod:`.integer_law` (the control law of a Venus
and its gate), :mod:`.selection` (which number of an answer counts), :mod:`.settle` (when the next
step may come), :mod:`.field` (these four as one regulator), :mod:`.outputs` (the regulator of a
B2500), :mod:`.classic` (the laws that the predecessor simulates), :mod:`.unknown` (laws made up),
:mod:`.laws` (whose law is whose), :mod:`.acceptance` (which answers count at all), :mod:`.loss`
(what happens when they stop), :mod:`.battery` (one battery without I/O) and :mod:`.service` (its
socket and its clock).
"""
