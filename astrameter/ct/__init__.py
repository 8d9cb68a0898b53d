"""The emulated CT002/CT003 clamp meter: codec, fleet, answers, UDP responder."""
