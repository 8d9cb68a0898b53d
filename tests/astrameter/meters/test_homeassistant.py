"""The [HOMEASSISTANT] meter (meters.md section 8)."""
from __future__ import annotations

from typing import Any

from tests.astrameter.meters.websocket_rig import VectorTestCase, script_of
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "homeassistant"]

class VectorTests(VectorTestCase):
    SECTION = "HOMEASSISTANT"
    @each(CASES)
    def vector(self, case: dict[str, Any]) -> None:
        source = self.source(script_of(case, self.jumps))
        self.run_vector(case, source, {})
