"""``astrameter doctor``: is everything there for the batteries to follow the meter?

What is looked at (:mod:`~astrameter.doctor.examination` and whatever it calls) is kept apart from
what is thought of it: every judgement is a plain function from observations to
:class:`~astrameter.doctor.findings.Finding` values.
"""
