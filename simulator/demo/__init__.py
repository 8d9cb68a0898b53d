"""``make demo``: the appliance in a simulated house, live in a terminal."""
