"""Evidence: files that a person hands in with an application, known by their content and sealed as she is."""
