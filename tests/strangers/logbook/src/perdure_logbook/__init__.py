"""Perdure's workflows in one append-only file, for the processes of one machine."""

from .backend import LogbookBackend

__all__ = ["LogbookBackend"]
