"""From options to what a simulation is made of."""

from __future__ import annotations

import argparse
from dataclasses import replace

from simulator.configuration.file import Loaded, load_file
from simulator.configuration.model import Simulation
from simulator.configuration.quick import quick


class UsageError(Exception):
    """The options do not make a simulation; ``str()`` is one line that says why."""


def load(options: argparse.Namespace) -> Loaded:
    """What the options ask for.

    :raises ProblemsError: when the file cannot be used.
    :raises UsageError: when the options cannot.
    """
    if options.config is not None:
        loaded = load_file(options.config)
        return Loaded(overridden(loaded.simulation, options), loaded.warnings)
    try:
        setup = quick(
            getattr(options, "batteries", 1),
            getattr(options, "phases", 1),
            getattr(options, "base_load", None),
            getattr(options, "soc", 0.5),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    return Loaded(overridden(setup, options), ())


def overridden(setup: Simulation, options: argparse.Namespace) -> Simulation:
    """A setup with what the command line says instead; 0 and nothing say nothing."""
    for name, given in (
        ("ct_host", "ct_host"),
        ("ct_port", "ct_port"),
        ("http_port", "http_port"),
        ("time_scale", "time_scale"),
    ):
        value = getattr(options, given, None)
        if value:
            setup = replace(setup, **{name: value})
    seed = getattr(options, "seed", None)
    if seed is not None:
        setup = replace(setup, seed=seed)
    of_all = {
        "power_update_delay_polls": getattr(options, "power_update_delay", None),
        "law": getattr(options, "law", None),
    }
    changes = {name: value for name, value in of_all.items() if value is not None}
    batteries = tuple(
        replace(one, config=replace(one.config, **changes)) for one in setup.batteries
    )
    return replace(setup, batteries=batteries)
