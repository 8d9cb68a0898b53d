"""How good the steering is: scenarios in simulated time, and what they cost (evaluation.md)."""
