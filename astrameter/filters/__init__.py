"""What happens to a reading between the meter and the emulated meters: one filter a file."""
