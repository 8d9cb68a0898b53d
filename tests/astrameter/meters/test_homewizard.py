from __future__ import annotations

from typing import Any

from tests.astrameter.meters.websocket_rig import *
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "homewizard"]

class VectorTests(VectorTestCase):
    SECTION = "HOMEWIZARD"
    @each(CASES)
    def vector(self, case: dict[str, Any]) -> None:
        source = self.source(script_of(case, self.jumps), server_tls(certificate(["x"]), "x"))
        self.run_vector(case, source, {})
