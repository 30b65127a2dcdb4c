"""The live picture: every bay, what is free and where."""
