"""Scenario scripts: what happens to a simulation when, and what is to come of it.

:mod:`.model` (the values), :mod:`.file` (JSON or YAML to values, every problem at once),
:mod:`.measure` (what an expectation looks at), :mod:`.player` (plays a script in any time).
"""
