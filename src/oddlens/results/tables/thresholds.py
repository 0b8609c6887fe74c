"""Thresholds of tables, figures and pages."""

SIGNIFICANCE_LEVEL = 0.05
"""A difference is called significant if its corrected p-value is not larger."""
CHANCE_MARGIN = 0.03
"""A row whose AUC is at most this far from 0.5 counts as no better than chance.

Significance alone would be too weak a criterion. Twins differ in their substructure only, so that its faint dimming and
the slight shrinking of the ring (docs/detectors.md) are significant long before they are useful.
"""
