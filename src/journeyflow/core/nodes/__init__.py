"""The node types: one file each, its model and what it does when a run visits it."""
