"""How many RoIs the Non-Local RoI block looks at before it has learned anything: the choice of its scale and start.

Run ``python -m benchmarks.attention``; a minute on a CPU. A network of random weights, the paper's ResNet-50 FPN with
group norm, pools RoIs as proposals have them, many around each of a few objects, and blocks of random weights compare
them. Printed is the effective number of RoIs that a RoI looks at: the exponential of the entropy of its row of the
softmax, the mean over rows. 1 is one RoI alone, which learns nothing, for the softmax has no gradient there; all RoIs
alike is a mean over the image.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from robsub.model.mask_rcnn import build_model
from robsub.model.nl_roi import NonLocalRoIBlock
from robsub.model.roi_heads import BOX_SIDE, MASK_SIDE
from robsub.recipe import InferenceConfig, ModelConfig

SIZE = (800, 1344)
STARTS = {"normal, 0.01": 0.01, "Xavier": None}
"""Start of the weights -> ``weight_std`` of the block."""


def proposals(count: int, objects: int, seed: int) -> Tensor:
    """(N, 4) XYXY boxes jittered around objects of 30 to 500 pixels."""
    draw = torch.Generator().manual_seed(seed)
    centre = torch.rand(objects, 2, generator=draw) * torch.tensor([SIZE[1], SIZE[0]])
    side = 30 * (500 / 30) ** torch.rand(objects, 2, generator=draw)
    which = torch.randint(objects, (count,), generator=draw)
    centre = centre[which] + side[which] * 0.1 * torch.randn(count, 2, generator=draw)
    half = side[which] / 2 * torch.exp(0.15 * torch.randn(count, 2, generator=draw))
    limit = torch.tensor([SIZE[1], SIZE[0]]).float()
    return torch.cat(((centre - half).clamp(min=0), torch.minimum(centre + half, limit)), dim=1)


def picture(seed: int) -> Tensor:
    """(3, H, W) in [0, 1]: coarse colours under fine grain, as photos have both."""
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 12, 20, generator=draw)
    image = torch.nn.functional.interpolate(coarse, SIZE, mode="bilinear")[0]
    return (image + 0.05 * torch.randn(3, *SIZE, generator=draw)).clamp(0, 1)


@torch.no_grad()
def pooled(config: ModelConfig, rois: int, objects: int, seed: int) -> dict[str, Tensor]:
    """What stands before each head's block: (N, D, 7, 7) and (N, D, 14, 14)."""
    torch.manual_seed(seed)
    model = build_model(config, InferenceConfig(), 27).eval()
    batch = model.transform([picture(seed)])
    features = model.backbone(batch.tensors)
    boxes = [proposals(rois, objects, seed)]
    heads = model.roi_heads
    pools = {"box": heads.box_roi_pool, "mask": heads.mask_roi_pool}
    return {head: pool(features, boxes, batch.image_sizes) for head, pool in pools.items()}


@torch.no_grad()
def effective_rois(x: Tensor, block: NonLocalRoIBlock) -> float:
    """The mean over RoIs of exp(entropy) of what they look at."""
    (attention,) = block.attention(x)
    return float(torch.special.entr(attention).sum(1).exp().mean())


def rows(rois: int, objects: int, seed: int) -> Iterator[str]:
    """A row of the table for every start, width of the embedding, and scale."""
    inputs = pooled(ModelConfig(nl_heads=()), rois, objects, seed)
    sides = {"box": BOX_SIDE, "mask": MASK_SIDE}
    for (start, std), d_f, scaled in product(STARTS.items(), (64, 256), (False, True)):
        cells = []
        for head, x in inputs.items():
            torch.manual_seed(seed)
            scale = (d_f * sides[head] ** 2) ** -0.5 if scaled else 1.0
            cells.append(f"{effective_rois(x, NonLocalRoIBlock(x.shape[1], d_f, 1, scale, std)):.1f}")
        yield f"| {start} | {d_f} | {'1 / root of the length' if scaled else '1'} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rois", type=int, default=512)
    parser.add_argument("--objects", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"effective RoIs of {arguments.rois} around {arguments.objects} objects, seed {arguments.seed}\n")
    print("| start of the weights | D_f | scale | box head, 7 x 7 | mask head, 14 x 14 |\n|---|---|---|---|---|")
    for line in rows(arguments.rois, arguments.objects, arguments.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
