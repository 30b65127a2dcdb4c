"""What every house stands on; it knows none of them."""
