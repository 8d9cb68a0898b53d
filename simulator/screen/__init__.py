"""Parts of terminal screens: lines of styled text, bars, plots, frames.

Everything draws itself as plain data (:mod:`simulator.screen.spans`), which a test can read and
:mod:`simulator.screen.painted` puts into urwid.
"""
