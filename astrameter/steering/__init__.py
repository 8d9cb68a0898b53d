"""How many watts each battery is asked for; pure, without I/O or a clock of its own."""
