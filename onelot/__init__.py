"""Wiring and the command line: the only package that sees everything."""
