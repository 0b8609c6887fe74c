"""A ResNet-18 that learns from the labels of its training images.

He et al. 2015 (arXiv:1512.03385) for small images (first convolution 3 x 3, no pooling after it), built of
torchvision's blocks. It learns from all anomalies of the contaminant pool, or as many as its row's `labels` say, and as
many smooth lenses. Substructure changes a bright ring by a few percent, so the network needs very many images. With
`residual: true` an autoencoder of the smooth training images is trained first, and the ResNet gets its residuals as a
second channel (as the error maps of Alexander et al. 2020, arXiv:2008.12731).
"""

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.labelled_resnet import LabelledResNet
from oddlens.training.symmetries import N_SYMMETRIES, act


class Supervised(LabelledResNet):
    """One logit: anomalous or not.

    Args:
        width: of the first stage (64 in the original).
        stride: of the first layer.
        residual: add the residuals of an autoencoder as a second channel.
    """

    role = "upper_bound"
    loss_name = "cross-entropy"

    def __init__(
        self,
        pixels: int,
        *,
        width: PositiveInt = 64,
        stride: PositiveInt = 1,
        residual: bool = False,
        learning_rate: PositiveFloat = 1e-3,
        weight_decay: NonNegativeFloat = 1e-4,
    ):
        super().__init__(
            pixels,
            1,
            width=width,
            stride=stride,
            residual=residual,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
        )

    def label_loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The binary cross-entropy."""
        return F.binary_cross_entropy_with_logits(outputs[:, 0], labels, reduction="none")

    def is_smooth(self, labels: Tensor) -> Tensor:
        """Label 0."""
        return labels == 0

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The mean logit over the symmetries of lensing."""
        return torch.stack([self.outputs(act(images, k))[:, 0] for k in range(N_SYMMETRIES)]).mean(dim=0)
