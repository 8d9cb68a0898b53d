"""A simulation that runs, in real time over real sockets or in a virtual world.

:mod:`.sitetime` (the time of the site), :mod:`.target` (where the CT is), :mod:`.poller` (a battery
on the network), :mod:`.automatic` (auto mode), :mod:`.simulation` (all of it as one service, and
what can be done with it), :mod:`.local` (the same as a console sees it), :mod:`.statusline` (the
same as a line of text), :mod:`.virtual` (with the appliance inside one virtual world).
"""
