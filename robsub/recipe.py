"""A recipe: every number of a model, of its training and of its inference, as frozen dataclasses.

No torch here: the command line reads recipes before it knows whether torch is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class ModelConfig:
    """The network. The defaults are the paper's: ResNet-50 FPN with group norm and the block before both heads."""

    block: Literal["bottleneck", "basic"] = "bottleneck"
    """Residual block of the backbone."""
    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    """Residual blocks in each of the four stages."""
    width: int = 64
    """Channels of the stem; the stages have 1, 2, 4 and 8 times as many, bottlenecks 4 times that."""
    stem_kernel: int = 7
    """Side of the stem's convolution, of stride 2; 3 is faster on small images."""
    norm_groups: int = 32
    """Groups of every GroupNorm; a divisor of width and of fpn_channels."""
    fpn_channels: int = 256
    """Channels of every pyramid level."""
    anchor_sizes: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512)
    """Anchor side on P2 to P6, pixels of the network's input."""
    canonical_scale: int = 224
    """Box side, pixels of the network's input, that is pooled from P4 (FPN paper, eq. 1)."""
    box_convs: int = 4
    """3x3 convolutions of the box head; 0 gives the plain head of two fully connected layers."""
    box_fc: int = 1024
    """Units of the box head's fully connected layer."""
    mask_convs: int = 4
    """3x3 convolutions of the mask head, at least one."""
    nl_heads: tuple[Literal["box", "mask"], ...] = ("box", "mask")
    """Heads that have a Non-Local RoI block in front of them: box, mask, both or none."""
    nl_embedding: int = 64
    """Channels of phi and psi, D_f of the paper."""
    nl_g: int = 64
    """Channels of g, D_g of the paper: how many the block appends to each RoI."""
    nl_scale: Literal["sqrt", "none"] = "sqrt"
    """sqrt divides the correlation by the root of its length; none is the paper's plain product, started from small
    weights instead of Xavier's."""
    rpn_pre_nms: tuple[int, int] = (2000, 1000)
    """Proposals kept per level before NMS, in training and in testing."""
    rpn_post_nms: tuple[int, int] = (2000, 1000)
    """Proposals kept per image after NMS, in training and in testing."""
    rpn_batch: int = 256
    """Anchors sampled per image for the RPN's loss."""
    roi_batch: int = 512
    """RoIs sampled per image for the heads' loss."""
    min_size: int = 800
    """Shorter side of the network's input, pixels."""
    max_size: int = 1333
    """Longest side of the network's input, pixels."""
    geometry: Literal["torchvision", "detectron"] = "torchvision"
    """Where anchors and the cells of a RoI lie; detectron for Detectron's weights as they are (docs/model.md)."""
    image_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """RGB mean subtracted from images in [0, 1]."""
    image_std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """RGB scale that images in [0, 1] are divided by."""


@dataclass(frozen=True)
class InferenceConfig:
    """Inference: from the heads' outputs to the final detections (Detectron's box_results_with_nms_and_limit)."""

    score_threshold: float = 0.05
    """Detections at or below it are dropped before NMS."""
    nms: Literal["linear", "gaussian", "hard"] = "linear"
    """Soft-NMS method; hard is ordinary NMS."""
    nms_threshold: float = 0.5
    """IoU from which linear soft-NMS decays and hard NMS suppresses."""
    nms_sigma: float = 0.5
    """Width of Gaussian soft-NMS."""
    voting: Literal["id", "avg", "iou_avg", "generalized_avg", "quasi_sum", "temp_avg", "off"] = "id"
    """Box voting's scoring method; id keeps the scores, off switches voting off."""
    voting_beta: float = 1.0
    """Temperature or exponent of generalized_avg, quasi_sum and temp_avg; at 1 all three are avg."""
    voting_threshold: float = 0.8
    """IoU from which a detection votes."""
    detections_per_image: int = 100
    """Most detections of an image."""
    mask_threshold: float = 0.5
    """Mask probability from which a pixel belongs to the object."""
    flip: bool = False
    """See every image mirrored too, and merge what is found."""
    sizes: tuple[int, ...] = ()
    """See every image at these shorter sides, pixels, and merge what is found; none is at the model's own."""


@dataclass(frozen=True)
class TrainConfig:
    """Training. The defaults are the paper's section 3; what it does not state follows Detectron (docs/training.md)."""

    init: str = ""
    """Weights to start from: a run, a checkpoint, or Detectron's .pkl; empty for random ones."""
    freeze_stages: int = 0
    """Parts of the backbone that keep the weights of init, the stem first, then the stages; Detectron's FREEZE_AT is 2.
    """
    datasets: tuple[str, ...] = ("cityscapes", "kitti", "wilddash", "scannet", "ade20k")
    """Data sets trained on jointly."""
    allow_missing: bool = False
    """Train on the others where a data set is not on disk, instead of refusing."""
    split: Literal["train", "trainval"] = "train"
    """Split of each data set."""
    sampling: Literal["size", "equal", "temperature", "weights"] = "size"
    """How often each data set is drawn: by its number of images n, equally, by n ** (1 / temperature), by weights."""
    temperature: float = 2.0
    """For sampling by temperature: 1 is by size, infinity is equal."""
    weights: tuple[float, ...] = ()
    """For sampling by weights: one for each of datasets; they need not add up to 1."""
    group_by_aspect: bool = False
    """Keep upright and lying images in different steps, so that less of a batch is padding."""
    keep_empty: bool = True
    """Train on images without an object too. Leaving them out reads all ground truth once, before the first step."""
    max_broken: int = 10
    """Files of images that do not open or whose labels are wrong, after which training stops; up to then another image
    takes their place. Of several processes each counts its own until the next checkpoint."""
    iterations: int = 136_000
    """Length of the run in steps."""
    batch_size: int = 16
    """Images of a step, over all processes. The rates are for 16 images: with b images multiply them by b / 16, and
    the iterations by 16 / b."""
    accumulate: int = 1
    """Parts in which a process sends its images of a step through the network; more parts need less memory."""
    shorter_sides: tuple[int, ...] = ()
    """Shorter sides of the network's input in training, one of which is drawn for each step; none is model.min_size."""
    flip: float = 0.5
    """Probability of a horizontal flip."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with momentum, or AdamW."""
    learning_rate: float = 0.02
    """Rate after the warm-up."""
    bias_rate: float = 1.0
    """What the rate of biases is multiplied by; Detectron has 2."""
    schedule: Literal["steps", "cosine"] = "steps"
    """Piecewise constant, or half a cosine down to zero."""
    steps: tuple[int, ...] = (56_000, 76_000, 116_000)
    """Iterations at which the rate changes."""
    step_rates: tuple[float, ...] = (0.01, 1e-3, 1e-4)
    """The rates from those iterations on."""
    warmup_iterations: int = 500
    """Steps of linear warm-up."""
    warmup_factor: float = 1 / 3
    """Share of the rate at the first step."""
    momentum: float = 0.9
    """SGD's momentum."""
    weight_decay: float = 1e-4
    """Weight decay of weights; norm parameters and biases have none."""
    clip_norm: float = 0.0
    """Largest gradient norm; 0 does not clip."""
    ema: float = 0.0
    """Decay of the moving average of the weights, which is then what predicts, e.g. 0.9998; 0 takes no average."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the network's layers; bfloat16 is quick on GPUs that have it and slow on most CPUs. Losses are float32."""
    channels_last: bool = False
    """Keep channels innermost in memory: quicker on GPUs."""
    compile: bool = False
    """Compile the backbone with torch.compile: minutes at the start and for every new image size, quicker steps."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    workers: int = 2
    """Processes that load data, for each process that trains; 0 loads in the training process."""
    time_budget_s: float = 0.0
    """Seconds after which the schedule is at its end although iterations are left; 0 is no budget. With a budget the
    result depends on the machine's speed."""
    checkpoint_every: int = 1000
    """Iterations between checkpoints."""
    keep_checkpoints: int = 2
    """Checkpoints kept, the last one included."""
    validate_every: int = 0
    """Iterations between evaluations of the val splits; 0 does not evaluate."""
    validate_images: int = 200
    """Most images of a data set evaluated each time, evenly over its val split; 0 takes all."""
    log_every: int = 20
    """Iterations between two lines of metrics.jsonl."""
    tensorboard: bool = False
    """Write TensorBoard's files into the run's folder too; needs the package tensorboard."""


@dataclass(frozen=True)
class Recipe:
    """One whole recipe, as ``robsub train --recipe NAME`` reads it."""

    name: str = "rob2018"
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)
