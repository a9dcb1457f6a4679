"""What asyncflow costs, beside what it stands on. Run it from the root of the repository: ``python -m benchmarks``."""
