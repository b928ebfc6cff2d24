"""A release on its way out: other tools' formats, the hub."""
