"""Reports that other programs read: JUnit, SARIF, JSON Lines."""
