"""Development tools of the project: set-up, demo, tests. Standard library only at import."""
