"""What a run found, and how people, programs and a terminal are told."""
