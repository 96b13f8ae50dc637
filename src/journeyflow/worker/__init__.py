"""What runs beside the API: the turn loop, the dispatcher, and what happens periodically."""
