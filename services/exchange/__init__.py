"""What the city already knows of a person, asked of the department that knows it, and never again of her."""
