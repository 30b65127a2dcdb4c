"""Clients of outside systems, each behind a Protocol of the model."""
