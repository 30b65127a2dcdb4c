"""One login and the city services behind it."""
