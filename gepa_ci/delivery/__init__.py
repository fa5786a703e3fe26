"""Git and GitHub: events, commits past the working tree, pull requests, and the data branch."""
