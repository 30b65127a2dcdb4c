"""Matters (办事事项): folders of configuration, proved, published and found."""
