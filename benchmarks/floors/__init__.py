"""What the same work costs when it is written out by hand: the limits that the engine is measured by."""
