"""What a browser, a watchdog or a monitor may ask the daemon over HTTP."""
