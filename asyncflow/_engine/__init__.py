"""What `WorkflowEngine` is made of: its settings, its base class, its decorators, and how it makes a plan.

Owns what stands between the face and a run: what a user has given is checked and turned into what a run works with. The
face itself, with all that a user reads, is `asyncflow/engine.py`.
"""
