"""Consoles over SSH: a server that shows one urwid console to each guest, and does nothing else.

``options`` may be imported by everybody. The rest needs Twisted's Conch and urwid
(``pip install 'astrameter[ssh]'``), which are not small, and is imported when it is wanted.
"""
