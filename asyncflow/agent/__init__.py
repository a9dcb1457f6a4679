"""The far side of `CarriedBackend`: runs worker processes on its machine for an engine on another one.

An agent passes calls on to its workers as they come, and what they have made back to the engine. It opens no function,
argument or result, so nothing of a user's runs in it.
"""
