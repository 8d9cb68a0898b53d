"""What the command line does besides running the appliance: one command a module.

Each offers ``run(...) -> int``, which writes to the stream it is given and returns the exit
status: 0 good, 1 the configuration is not. Reading the arguments is the caller's work.
"""
