"""`perdure bench`: what a database gives, in ratios that hold on any machine."""

from .command import bench

__all__ = ["bench"]
