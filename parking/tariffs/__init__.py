"""What a stay costs: published rules as data, priced by a pure function."""
