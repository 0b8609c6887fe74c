"""Deep regression: what an image tells of its lens and of its dark matter, as probabilities.

`targets` says what is estimated, `histograms` how a probability density is held and read, `network` learns it,
`learn` and `estimate` are the stages, `population` puts many lenses together, `triage` asks for the type of what a
detector flagged. But for `network` and the two stages nothing here needs torch.
"""
