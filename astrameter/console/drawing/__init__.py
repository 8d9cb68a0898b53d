"""Parts of terminal screens: lines of styled text, bars, plots, tables, frames.

Everything draws itself as plain data (:mod:`~astrameter.console.drawing.spans`), which a test can
read and :mod:`~astrameter.console.drawing.painted` puts into urwid.
"""
