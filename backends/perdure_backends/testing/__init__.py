"""Support for tests of SQL backends: real faults at chosen statements, and who moves next."""
