"""A finished release: read by row, checked, compared."""
