"""Rules: CEL text, typed when it is published, total when it runs."""
