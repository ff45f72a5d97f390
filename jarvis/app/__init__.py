"""The composition root: which adapters fill which ports, and the life of the process round them."""
