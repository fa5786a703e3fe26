"""Templates: ours, and those of a team that override single blocks of ours."""
