"""Plain frozen values; no input or output, no clock and no library."""
