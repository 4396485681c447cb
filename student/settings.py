"""Everything that the training of a student depends on; printed when a run starts and kept in its run.json.

The descriptions of the fields are the configuration's reference and the help of `kdcache train`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from student.backbone_options import check_options


class Settings(BaseModel):
    """Base of all settings: a key that does not exist is an error with its path, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


#: of a run or a teacher: it becomes the name of a folder
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
Probability = Annotated[float, Field(ge=0, le=1)]
#: height, width
Size = tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
Replay = Literal["peaks", "warp", "views"]
LossName = Literal["adaptive_wing", "mse", "kl"]
Pixels = Literal["auto", "jpeg", "memory", "device"]
#: where the heatmap cells of every student lie in its crop: the outermost cells on the outermost pixels
STUDENT_FRAME = "udp"


class ModelSettings(Settings):
    """The student's network: a backbone with ImageNet weights and a head that ends in one heatmap a joint."""

    backbone: str = Field(
        "efficientnet_b0", description="Backbone: a name of `kdcache zoo` (the paper's Table 1), or timm:NAME."
    )
    head: Literal["subpixel", "lateral"] = Field(
        "subpixel",
        description="Head. subpixel: the paper's; lateral: a narrow sum of the backbone's maps, which learns from "
        "fewer persons.",
    )
    weights: str = Field(
        "imagenet", description="Initial weights of the backbone: imagenet, none (random), package:NAME or a file."
    )
    input_size: Size = Field((256, 192), description="Height and width of a crop in pixels, multiples of 32.")
    heatmap_size: Size = Field(
        (64, 48),
        description="Height and width of a heatmap in cells: a quarter of input_size, and the default follows it.",
    )
    sigma: float = Field(
        2.0, gt=0, description="Standard deviation of the target's Gaussian in heatmap cells (paper, equation 3)."
    )
    backbone_options: dict[str, Any] = Field(
        {}, description="Sizes, rates and layers of the timm network, for example to make a narrow one."
    )
    head_channels: int = Field(
        64, gt=0, description="Channels of the `lateral` head; those of the paper's head are fixed."
    )

    @field_validator("backbone_options")
    @classmethod
    def _options_are_sizes_and_names(cls, options: dict[str, Any]) -> dict[str, Any]:
        check_options(options)
        return options

    @model_validator(mode="before")
    @classmethod
    def _heatmaps_follow_the_input(cls, data: Any) -> Any:
        size = data.get("input_size") if isinstance(data, dict) else None
        if isinstance(size, (list, tuple)) and "heatmap_size" not in data and all(isinstance(n, int) for n in size):
            return {**data, "heatmap_size": [side // 4 for side in size]}
        return data


class DistillSettings(Settings):
    """The loss: (1 - alpha) * L(ground truth) + alpha * L(teacher) (paper, equation 1), and where the teacher is."""

    mode: Literal["none", "cached", "live"] = Field(
        "cached",
        description="Where the teacher's heatmaps come from. cached: the store; live: the teacher, run on every batch; "
        "none: ground truth only.",
    )
    alpha: Probability = Field(0.7, description="The teacher's share of the loss, 0 to 1.")
    alpha_end: Probability | None = Field(
        None, description="With it, the share goes linearly from `alpha` to this over the run."
    )
    unlabelled: bool = Field(
        True,
        description="Show persons without labels as well (`kdcache build --unlabelled`, `train.labelled`): only the "
        "teacher teaches them, with a share of 1. Without a teacher they are always left out.",
    )
    confidence: bool = Field(
        False,
        description="Multiply the teacher's share of each joint by its confidence, the height of its heatmap.",
    )
    loss: LossName = Field(
        "adaptive_wing",
        description="Loss of a heatmap. adaptive_wing: Wang et al. 2019; mse: mean squared error; kl: Kullback-Leibler "
        "divergence of softmax heatmaps (paper, equation 2).",
    )
    teacher_loss: LossName | None = Field(None, description="Loss of the teacher's part; null: that of `loss`.")
    temperature: float = Field(1.0, gt=0, description="Temperature of the softmax of `kl`.")
    replay: Replay = Field(
        "peaks",
        description="How a cached heatmap becomes that of the student's view. peaks: windows around the peaks are "
        "moved and turned but not zoomed, as a live teacher's peaks are equally wide at every zoom; warp: the whole "
        "map is warped; views: the store's own views are shown, with their exact heatmaps.",
    )
    sharpen: float = Field(
        1.0,
        gt=0,
        description="Exponent of the teacher's heatmaps, relative to their height: a peak's standard deviation is "
        "divided by its square root; 1: as the teacher draws them.",
    )


class AugmentSettings(Settings):
    """Random views of a person, drawn for each row and epoch. The defaults are those of ViTPose's training.

    The names `vitpose`, `paper`, `light` and `none` stand for settings in student/augment_recipes.py.
    """

    flip: Probability = Field(0.5, description="Probability of a mirrored view.")
    half_body: Probability = Field(0.3, description="Probability of a view of only the upper or the lower body.")
    half_body_joints: int = Field(
        8, ge=1, description="Half-body views are only of persons with more labelled joints than this."
    )
    scale_sd: float = Field(
        0.5,
        ge=0,
        description="Standard deviation of the zoom, clip(1 + scale_sd * normal, scale_range); a zoom above 1 shows "
        "more of the image.",
    )
    scale_range: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = Field(
        (0.5, 1.5), description="Smallest and largest zoom."
    )
    rotate: Probability = Field(0.6, description="Probability of a rotated view.")
    rotate_sd: float = Field(40.0, ge=0, description="Standard deviation of the rotation in degrees.")
    rotate_limit: float = Field(80.0, ge=0, description="Largest rotation in degrees.")
    shift: Probability = Field(0.3, description="Probability of a shifted view.")
    shift_sd: float = Field(0.05, ge=0, description="Standard deviation of the shift in sizes of the padded box.")
    colour: float = Field(0.0, ge=0, description="Strength of the jitter of brightness, contrast and tint; 0: none.")

    @field_validator("scale_range")
    @classmethod
    def _goes_up(cls, scale_range: tuple[float, float]) -> tuple[float, float]:
        if scale_range[0] > scale_range[1]:
            raise ValueError(f"expected the smaller zoom first, found {scale_range}")
        return scale_range


class TrainSettings(Settings):
    """The training loop. The learning rate and the epochs are the paper's; it does not give the others."""

    epochs: float = Field(200, gt=0, description="Epochs over the store's rows; a fraction is allowed.")
    batch_size: int = Field(64, gt=0, description="Persons a step, of each process.")
    lr: float = Field(3e-4, gt=0, description="Largest learning rate; after the warm-up a cosine goes from it to 0.")
    optimizer: str = Field("adamw", description="Optimizer, by its timm name.")
    weight_decay: float = Field(0.05, ge=0, description="Weight decay; biases and normalisation layers have none.")
    warmup_epochs: float | None = Field(
        None, ge=0, description="Epochs of linear warm-up; null: 5, but at most a tenth of the run."
    )
    clip_grad: float | None = Field(5.0, gt=0, description="Largest norm of the gradient; null: no limit.")
    ema_decay: float | None = Field(
        0.9998,
        gt=0,
        lt=1,
        description="Decay of the exponential moving average of the weights, which is saved and evaluated. It is "
        "warmed up, so that short runs are not averaged with their start; null: no average.",
    )
    seed: int = Field(0, description="Seed of initial weights, order of rows, views and dropout.")
    workers: int | None = Field(
        None,
        gt=0,
        description="Threads that read and cut crops; null: 2, and on a GPU as many more as it needs not to wait, of "
        "the CPUs that may be used.",
    )
    memory_gib: float = Field(
        4.0,
        ge=0,
        description="Cached heatmaps of up to so many GiB are held on the device; larger ones are read from the store.",
    )
    pixels: Pixels = Field(
        "auto",
        description="Where the decoded pixels of stored crops are kept between epochs. jpeg: nowhere, they are decoded "
        "for every view; memory: in the host's memory; device: on the GPU; auto: on the GPU where all fit, else in "
        "memory, as many as fit. Batches are the same bit for bit.",
    )
    pixels_gib: float | None = Field(
        None,
        ge=0,
        description="Decoded pixels of up to so many GiB are kept; null: of half of the GPU's free memory, or of three "
        "quarters of the host's.",
    )
    log_steps: int = Field(50, gt=0, description="Steps between two entries of the log.")
    amp: bool = Field(True, description="Compute in bfloat16 on CUDA; a CPU computes in float32.")
    channels_last: bool = Field(True, description="Keep the network in the channels_last memory format.")
    compile: bool | Literal["auto"] = Field(
        "auto",
        description="Compile network and losses by torch.compile, with CUDA graphs on one GPU. auto: on a GPU where "
        "Triton and a C compiler are installed, in trainings of at least 5,000 steps. The first step then takes a "
        "minute longer.",
    )
    cuda_graphs: bool = Field(
        False,
        description="On one GPU, run each whole step, and the making of each batch, as one CUDA graph; steps only with "
        "adam and adamw, and where distill.alpha stays. This has not been run on a GPU yet.",
    )
    evaluate_epochs: float = Field(
        0, ge=0, description="Epochs between two measurements of AP on validation persons; 0: only at the end."
    )
    evaluate_persons: int = Field(500, gt=0, description="About as many validation persons are measured.")
    checkpoint_minutes: float = Field(5, gt=0, description="Minutes between two saves from which a run is resumed.")
    max_rows: int | None = Field(None, gt=0, description="Train on so many rows, the first of the store; null: on all.")
    labelled: int | None = Field(
        None,
        gt=0,
        description="Use the labels of only so many persons, drawn by `seed`; all others count as unlabelled. An epoch "
        "remains as many persons as the store has rows. null: all labels.",
    )

    @field_validator("warmup_epochs")
    @classmethod
    def _rises_and_falls(cls, warmup: float | None, info: ValidationInfo) -> float | None:
        epochs = info.data.get("epochs")  # absent where it is a mistake itself
        if warmup and epochs is not None and warmup >= epochs:
            raise ValueError(f"a run of {epochs:g} epochs would end before its warm-up; leave it out for a tenth of it")
        return warmup


class StudentSettings(Settings):
    """One student: its name, and all that its training depends on."""

    name: Name = Field(description="Name in tables, and of the run's folder.")
    model: ModelSettings = Field(ModelSettings(), description="The network.")
    distill: DistillSettings = Field(DistillSettings(), description="The loss and the teacher.")
    augment: AugmentSettings | Literal["paper", "vitpose", "light", "none"] = Field(
        "vitpose",
        description="Random views: numbers, or a name. vitpose: ViTPose's own; paper: mirrored persons only; light: "
        "for short runs and small networks; none: no random views.",
    )
    train: TrainSettings = Field(TrainSettings(), description="The training loop.")

    @model_validator(mode="after")
    def _heads_end_at_stride_four(self) -> "StudentSettings":
        expected = tuple(side // 4 for side in self.model.input_size)
        if self.model.heatmap_size != expected:
            raise ValueError(
                f"model.heatmap_size {self.model.heatmap_size}: input_size {self.model.input_size} gives {expected}, "
                "heads end at stride 4"
            )
        return self


def list_mistakes(error: ValidationError) -> str:
    """Return one line a mistake: its path, what is wrong, and what was found."""
    lines = []
    for mistake in error.errors():
        path = ".".join(str(part) for part in mistake["loc"]) or "(top)"
        if mistake["type"] == "extra_forbidden":
            lines.append(f"  {path}: there is no such key")
        elif mistake["type"] == "missing":
            lines.append(f"  {path}: is missing")
        else:
            lines.append(f"  {path}: {mistake['msg']} (found {mistake['input']!r})")
    return "\n".join(lines)
