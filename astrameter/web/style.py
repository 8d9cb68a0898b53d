"""How the status page looks."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: #1c2430; background: #fbfbfa; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #d8dade; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #b3261e; } .quiet { color: #616975; }
@media (prefers-color-scheme: dark) {
  body { color: #e4e6ea; background: #15181d; }
  th, td { border-color: #343a44; }
  .bad { color: #ff8a80; } .quiet { color: #9aa3b0; }
}
"""

STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""Names the style in the Content-Security-Policy, so that no other style is applied."""
