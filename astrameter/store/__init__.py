"""What survives a restart: small documents in a file, and in Redis when that is wanted."""
