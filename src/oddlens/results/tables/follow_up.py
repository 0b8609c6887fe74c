"""The columns of the table of `oddlens.stages.follow_up`."""

SCANNED = {
    "odds": "scan_log_odds",
    "significance": "scan_sigma",
    "y_arcsec": "scan_y_arcsec",
    "x_arcsec": "scan_x_arcsec",
}
"""Columns of the findings of a linear scan, by the names of the findings."""
COLUMNS = ["dataset", "detector", "rank", "id", "class", "false_alarm_probability"]
COLUMNS += [f"log_evidence_{lens}{end}" for lens in ("smooth", "with_mass") for end in ("", "_error")]
COLUMNS += ["log_bayes", "log_bayes_error", "chi_square_smooth", "chi_square_with_mass", "pixels"]
COLUMNS += [f"{name}{end}" for name in ("mass_msun", "y_arcsec", "x_arcsec") for end in ("", "_low", "_high")]
COLUMNS += [*SCANNED.values(), "scan_mass_msun", "true_mass_msun", "true_y_arcsec", "true_x_arcsec", "calls", "seconds"]
