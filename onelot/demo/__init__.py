"""What the demo brings with it: a small lot and its tariff."""
