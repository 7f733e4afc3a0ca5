"""The conformance suite: what any backend of Perdure must do, and the judge of it."""
