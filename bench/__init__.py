"""What the appliance costs; each module prints one JSON line when it is run."""
