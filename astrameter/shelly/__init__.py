"""The emulated Shelly meters: RPC documents over UDP (shelly.md)."""
