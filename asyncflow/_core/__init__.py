"""The decisions: states, graph, scheduling, argument scan. Pure: no event loop, thread, clock, file or log."""
