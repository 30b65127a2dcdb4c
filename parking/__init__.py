"""Stays and money: sessions, tariffs, ledger, permits, payments."""
