"""The databases that Perdure brings along, each found by the scheme of its URL."""
