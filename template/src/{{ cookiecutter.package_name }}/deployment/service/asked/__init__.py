"""What the model may be asked over HTTP, which depends on what it answers: rows, or series."""

from .{{ cookiecutter.__data }} import PAGE, Asked, Contract, answer, ask_beside, rehearse

__all__ = ["PAGE", "Asked", "Contract", "answer", "ask_beside", "rehearse"]
