"""Money: one row per business fact, balanced by its shape, bounded by CHECK, written only by PostgreSQL's own functions."""
