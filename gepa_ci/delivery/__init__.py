"""Git and GitHub; for now, reading files of a commit from git's objects."""
