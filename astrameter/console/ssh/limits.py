"""What one connection may cost: bytes, time, patience."""

from __future__ import annotations

LOGIN_GRACE_S = 20.0
"""From the first byte to a console on the screen."""

ATTEMPTS = 6
"""Keys that may be tried, as with OpenSSH's MaxAuthTries."""

REQUESTS = 24
"""Questions of any kind before the login."""

MESSAGES = 64
"""Of any kind before the login; OpenSSH needs about ten."""

VERSION_BYTES = 255
"""The longest version line (RFC 4253 section 4.2)."""

PACKET_BYTES = 35_000
"""The longest packet (RFC 4253 section 6.1); Conch would wait for a megabyte."""

SLICE_BYTES = 512
BURST_BYTES = 16_384
BYTES_PER_S = 50_000
TURN_S = 0.02
"""What is received is worked on in slices, at most so fast in the long run: a packet costs some
40 microseconds, and a flood of them must leave the processor to the batteries. The rest waits in
the kernel."""

WINDOW_BYTES = 4096
"""What a person may have typed ahead."""

FAR_PACKET_LEAST_BYTES = 1024
FAR_PACKET_MOST_BYTES = 32_768
"""Smaller packets of the far end would make thousands of one picture."""

RECEIPT_BYTES = 16_384
CREDIT_BYTES = 65_536
"""After so many bytes the far end is asked for a sign that it has got so far, and without it
gets no more than the credit. Otherwise the buffers on the way would hold minutes of pictures."""

ENDING_S = 5.0
"""How long the last bytes of a connection may take."""
