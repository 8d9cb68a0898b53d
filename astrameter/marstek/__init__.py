"""What has to do with the vendor's account and cloud (marstek-cloud.md)."""
