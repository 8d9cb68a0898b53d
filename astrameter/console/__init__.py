"""The appliance on a terminal: what both consoles share, and the one that shows the daemon.

Needs urwid, an optional part of the installation (``pip install 'astrameter[console]'``): nothing
outside this package, its command and the simulator's consoles may import it.
"""
