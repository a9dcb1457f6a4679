"""The command line: ``asyncflow run flow.py``, and what else there is to look at and to do from a shell."""
