"""What a simulation is made of: read from a JSON file, or from a few options.

:mod:`.model` (the values), :mod:`.checked` (JSON taken apart, with every complaint kept),
:mod:`.battery` and :mod:`.file` (the keys of simulator.md section 4), :mod:`.quick` (section 3).
"""
