"""ADM: published networks and classifiers of guided diffusion, as the engine calls them.

Notation as in `causalflow.diffusion.path`: y in flow coordinates, tau its time, x_t = y / sqrt((1 -
tau)^2 + tau^2) on the variance-preserving path; t in 0..999 a level of the schedule. The networks
(`causalflow.pretrained.adm_networks`) know integer levels only, solvers stop at any tau: the
network is told the level whose log-odds log(tau / (1 - tau)) = log(sigma / alpha) are nearest. At
the levels themselves nothing is rounded.

    GuidedDiffusion            network(x_t, tau, condition) -> the noise, its first outputs
    GuidedDiffusionClassifier  network(y, tau) -> logits, noise-conditional

    network = cf.guided_diffusion("256x256_diffusion_uncond.pt")
    classifier = cf.guided_diffusion("256x256_classifier.pt")
    model = cf.compile(
        cf.load("graphs/diff_scm_imagenet.yaml"),
        networks={"image": network},
        predictors={"image": {"label": classifier}},
    )
    model.to("cuda").counterfactual({"image": x}, do={"label": 207})

A network that was trained with the class is told it by a neural edge from its one class parent; it
has no vector for an unlabelled one, which adds nothing.

Source: Dhariwal & Nichol (2021), Diffusion Models Beat GANs on Image Synthesis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from causalflow.diffusion.path import PATHS, column, tau_of
from causalflow.errors import CheckpointError, CompileError
from causalflow.pretrained.adm_file import load
from causalflow.pretrained.adm_networks import Classifier, UNet
from causalflow.registry import Registry

__all__ = ["SCHEDULES", "GuidedDiffusion", "GuidedDiffusionClassifier", "guided_diffusion"]

SCHEDULES: Registry[Callable[[], Tensor]] = Registry(
    "schedule of levels",
    places={
        "linear-1000": "causalflow.diffusion.path:linear_alpha_bar",
        "cosine-1000": "causalflow.diffusion.path:cosine_alpha_bar",
    },
)


class _Clock(nn.Module):
    """The level nearest to a time."""

    boundaries: Tensor

    def __init__(self, schedule: str) -> None:
        super().__init__()
        log_odds = torch.logit(tau_of(SCHEDULES.get(schedule)()))
        self.register_buffer("boundaries", (log_odds[1:] + log_odds[:-1]) / 2, persistent=False)

    def forward(self, tau: Tensor) -> Tensor:
        """The levels of the times, shape (batch,), int64."""
        return torch.bucketize(torch.logit(tau.to(self.boundaries.dtype)), self.boundaries)


class GuidedDiffusion(nn.Module):
    """A published U-Net as the network of an image (`causalflow.diffusion.field`).

    Args:
        unet: the network, with as many outputs as inputs, or twice as many: then the second half, a
            variance, is left out.
        schedule: the schedule that it was trained on.

    Raises:
        CheckpointError: the outputs are not those of a denoiser of its inputs.
    """

    prediction = "noise"

    def __init__(self, unet: UNet, schedule: str = "linear-1000") -> None:
        super().__init__()
        sizes = unet.sizes
        if sizes.outputs not in (sizes.inputs, 2 * sizes.inputs):
            raise CheckpointError(
                f"a U-Net of {sizes.inputs} channels in and {sizes.outputs} out; expected as many "
                "out, or twice as many"
            )
        self.path = schedule
        self.unet = unet
        self.clock = _Clock(schedule)

    def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
        """The noise in x_t, shape of x; ``condition`` is that of `condition`."""
        told = None if self.unet.sizes.classes is None else condition
        return self.unet(x, self.clock(tau), told)[:, : x.shape[1]]

    def condition(self, parents: Mapping[str, Tensor], n: int) -> Tensor:
        """The vectors of the classes, (n, features); zero where there is no class."""
        for labels in parents.values():
            return self.unet.label_vectors(labels).expand(n, -1)
        some = next(self.unet.parameters())
        return torch.zeros(n, self.unet.sizes.features, dtype=some.dtype, device=some.device)

    def check(self, channels: int, levels: Mapping[str, int | None]) -> None:
        """Refuse an image of other channels, or neural parents other than its one class.

        Raises:
            CompileError: the reason.
        """
        sizes = self.unet.sizes
        if channels != sizes.inputs:
            raise CompileError(
                f"the network was trained on {sizes.inputs} channels (an upsampler sees a small "
                f"image too, and does not fit); the image has {channels}"
            )
        wanted = [] if sizes.classes is None else [sizes.classes]
        if list(levels.values()) not in ([], wanted):
            told = f"one class of {sizes.classes} levels" if wanted else "no parent"
            raise CompileError(
                f"the network was trained to be told {told}; the neural edges tell it "
                f"{dict(levels)} (levels by parent): make the others anticausal"
            )


class GuidedDiffusionClassifier(nn.Module):
    """A published classifier as the predictor of a class parent, called as ``(y, tau)``.

    Args:
        classifier: a function of x_t and t.
        schedule: the schedule that it was trained on.
    """

    def __init__(self, classifier: Classifier, schedule: str = "linear-1000") -> None:
        super().__init__()
        self.schedule = schedule
        self.classifier = classifier
        self.clock = _Clock(schedule)

    def forward(self, y: Tensor, tau: Tensor) -> Tensor:
        """The logits, shape (batch, classes), at y in flow coordinates; tau of shape (batch,)."""
        scale = PATHS.get(self.schedule).network_scale(tau)
        return self.classifier(y * column(scale, y), self.clock(tau))


def guided_diffusion(
    path: str | Path,
    *,
    schedule: str = "linear-1000",
    head_channels: int = 64,
    heads: int | None = None,
    legacy_attention: bool = True,
    levels: int | None = None,
    dtype: torch.dtype = torch.float32,
    sha256: str | None = None,
) -> GuidedDiffusion | GuidedDiffusionClassifier:
    """The network or the classifier in a published checkpoint, whichever the file holds.

    Sizes are found from names and shapes; the arguments say what shapes cannot, and
    `causalflow.pretrained` names the published files that want another value.

    Args:
        path: a file of ``torch.save`` (read as tensors only) or safetensors.
        schedule: the schedule of its 1000 levels: "linear-1000" or "cosine-1000".
        head_channels: channels of a head of attention.
        heads: heads of every attention, in place of ``head_channels``.
        legacy_attention: the order of q, k and v in the U-Net.
        levels: the network's number of levels; needed only where shapes fit several, which the
            error says.
        dtype: precision of the convolutions, as torch.float16; all else computes in float32.
        sha256: the digest that the file must have; None: it is not verified, for the publisher's
            digests are not known here.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network; one line.
    """
    SCHEDULES.get(schedule)
    network = load(
        path,
        head_channels=head_channels,
        heads=heads,
        legacy_attention=legacy_attention,
        levels=levels,
        dtype=dtype,
        sha256=sha256,
    )
    if isinstance(network, Classifier):
        return GuidedDiffusionClassifier(network, schedule).eval()
    try:
        return GuidedDiffusion(network, schedule).eval()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
