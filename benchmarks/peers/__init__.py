"""The five-node journey as others do it: one durable execution, or one scheduled job, for each contact."""
