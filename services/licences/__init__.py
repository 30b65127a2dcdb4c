"""What a case ends in: a licence that its holder shows and anybody can check."""
