"""Files of tasks: where they come from, how they are brought, where they are published; sandboxes."""
