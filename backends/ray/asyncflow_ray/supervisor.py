"""What lives on a node: an actor that supervises one agent."""

from __future__ import annotations

from typing import Any

import ray

from asyncflow.backends.carried import Lease, Supervised


class AsyncflowAgent:
    """The actor. It does nothing but start an agent and wait for its end: tasks run in processes of the agent, so that
    what they do to these Ray never sees."""

    def where(self) -> tuple[str, str]:
        """The node's id and address."""
        untyped: Any = ray
        return str(untyped.get_runtime_context().get_node_id()), str(untyped.util.get_node_ip_address())

    def supervise(self, lease: str) -> str:
        """Run an agent until it ends.

        Args:
            lease: as text. It comes with a call and not when the actor is made, since Ray's head keeps what actors are
                made with.

        Returns:
            How it has ended, in words.
        """
        agent = Supervised(Lease.from_text(lease))
        agent.start()
        return agent.wait()
