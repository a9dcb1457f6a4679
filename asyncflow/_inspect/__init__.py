"""The one reader of what users write about types and in their source: it resolves, takes apart, judges, shows."""
