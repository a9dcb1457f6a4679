"""Services over HTTP: an ASGI application, and a server for it. Needs the extra ``serve``."""

from .app import Application, asgi
from .server import Server

__all__ = ["Application", "Server", "asgi"]
