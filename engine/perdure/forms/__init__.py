"""How each kind of type looks as JSON."""

from .build import form_of
from .form import Form

__all__ = ["Form", "form_of"]
