"""The control socket: how commands and consoles on the same machine talk to the running daemon.

A Unix stream socket that carries JSON, one object a line, in UTF-8. The daemon speaks first::

    < {"astrameter": "1.0.0", "protocol": 1, "verbs": ["status", ...]}
    > {"id": 1, "verb": "status"}
    < {"id": 1, "result": {...}}
    > {"id": 2, "verb": "set", "args": {"battery": "aabbccddee01", "manual_target": 300}}
    < {"id": 2, "error": {"kind": "refused", "text": "..."}}
    > {"id": 3, "verb": "watch"}
    < {"id": 3, "result": {}}
    < {"event": "status", "data": {...}}

Answers come in the order of the requests; ``event`` lines come in between while ``watch`` is on.
"""
