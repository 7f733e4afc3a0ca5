"""The promises of the seam as tests, one module for each noun."""
