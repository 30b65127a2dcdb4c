"""Clients of departments, behind the Protocol of the model."""
