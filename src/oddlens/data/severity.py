"""How much a finding about a data set matters."""

LEAK, WARNING, NONE = "leak", "warning", "none"
"""A leak ends a strict study. A warning is reported: what it names may be a property of the classes."""
