"""Money comes in: wallet top-ups through payment providers."""
