"""Cases (办件): an application from its draft to its decision."""
