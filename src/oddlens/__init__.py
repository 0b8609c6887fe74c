"""oddlens: strong lenses whose dark matter is odd, found without labels."""

__version__ = "0.1.0"
