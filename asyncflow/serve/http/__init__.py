"""Services over HTTP: an ASGI application, and a server for it. Needs the extra ``serve``."""

try:
    from .app import Application, asgi
    from .server import Server
except ModuleNotFoundError as error:
    raise ImportError(
        f'asyncflow.serve.http needs {error.name}, which is not installed:  pip install "asyncflow-engine[serve]"',
        name=error.name,
    ) from None

__all__ = ["Application", "Server", "asgi"]
