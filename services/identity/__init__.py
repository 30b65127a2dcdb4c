"""Who someone is: log-in, people, rights and plates."""
