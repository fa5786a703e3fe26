"""What a terminal shows of a result."""
