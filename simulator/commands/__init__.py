"""What each command of ``astra-sim`` does; :mod:`simulator.cli` knows their options.

Modules here import Twisted only where they need it: commands that ask a running simulator are to
answer at once.
"""
