"""Stays and money."""
