"""Publications that pages cite, besides the AUCs of `published.csv`."""

PUBLISHED = {"images": 25_000, "pixels": 150, "epochs": 500}
"""Training images, pixels on a side and epochs of arXiv:2008.12731, from its text."""
REFERENCES = {
    "alexander2020": "Alexander et al. 2020, unsupervised detectors on simulated lenses, arXiv:2008.12731",
    "alexander2019": "Alexander et al. 2019, supervised networks on simulated lenses, arXiv:1909.07346",
    "berg": "Berg et al. 2019, GANs with an encoder under contamination, arXiv:1905.11034",
    "ye": "Ye et al. 2020, an information-theoretic objective, arXiv:2012.04837",
    "qiu": "Qiu et al. 2022, latent outlier exposure, arXiv:2202.08088",
    "imani": "Imani & White 2018, histogram losses, arXiv:1806.04613",
    "vegetti": "Vegetti et al. 2010, a dark subhalo in SDSSJ0946+1006, arXiv:0910.0760",
    "nightingale": "Nightingale et al. 2021, PyAutoLens",
    "delong": "DeLong et al. 1988, the covariance of correlated AUCs",
    "obuchowski": "Obuchowski 1997, the same for clustered data",
}
"""References by a key."""
