"""Copies of the firmware laws: what a battery makes of the readings it is sent.

A controller that knows the law sends the reading whose *effect* is wanted; dead zones, ramps,
spike filters and power in flight are then known instead of discovered
(steering-research-observer.md).
"""
