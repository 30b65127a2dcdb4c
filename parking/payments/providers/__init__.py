"""Payment providers, one client each."""
