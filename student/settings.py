"""What a student's training is made of: every number that a run depends on, printed when it starts."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator


class Settings(BaseModel):
    """Base of all settings: a key that does not exist is an error with its path, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


# Of a run or a teacher: it becomes the name of a folder.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
Probability = Annotated[float, Field(ge=0, le=1)]
Size = tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
Replay = Literal["peaks", "warp", "views"]


class ModelSettings(Settings):
    """backbone: a name of Table 1 (`kdcache zoo`) or `timm:NAME`; weights: `imagenet`, `none` or a file."""

    backbone: str = "efficientnet_b0"
    head: Literal["subpixel", "lateral"] = "subpixel"
    weights: str = "imagenet"
    input_size: Size = (256, 192)  # height, width
    heatmap_size: Size = (64, 48)
    sigma: float = Field(2.0, gt=0)  # of the target's Gaussian, in heatmap cells (paper, equation 3)
    backbone_options: dict[str, Any] = {}  # handed to timm.create_model, e.g. to make a narrow network
    head_channels: int = Field(64, gt=0)  # width of the `lateral` head; the paper's head has a fixed width

    @model_validator(mode="before")
    @classmethod
    def _heatmaps_follow_the_input(cls, data: Any) -> Any:
        size = data.get("input_size") if isinstance(data, dict) else None
        if isinstance(size, (list, tuple)) and "heatmap_size" not in data and all(isinstance(n, int) for n in size):
            return {**data, "heatmap_size": [side // 4 for side in size]}
        return data


class DistillSettings(Settings):
    """total = (1 - alpha) * L(ground truth) + alpha * L(teacher)   (paper, equation 1)."""

    mode: Literal["none", "cached", "live"] = "cached"
    alpha: Probability = 0.7
    alpha_end: Probability | None = None  # with it, alpha goes linearly from `alpha` to this over the run
    loss: Literal["adaptive_wing", "mse", "kl"] = "adaptive_wing"  # kl: equation 2, cross-entropy + KL divergence
    temperature: float = Field(1.0, gt=0)  # of `kl`
    replay: Replay = "peaks"


class AugmentSettings(Settings):
    """Defaults are ViTPose's recipe; student/augment.py names `paper`, `vitpose`, `light` and `none`."""

    flip: Probability = 0.5
    half_body: Probability = 0.3
    half_body_joints: int = Field(8, ge=1)  # half-body only where more joints than this are labelled
    scale_sd: float = Field(0.5, ge=0)  # zoom = clip(1 + sd * randn, scale_range); above 1 shows more of the image
    scale_range: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.5, 1.5)
    rotate: Probability = 0.6
    rotate_sd: float = Field(40.0, ge=0)  # degrees
    rotate_limit: float = Field(80.0, ge=0)
    shift: Probability = 0.3
    shift_sd: float = Field(0.05, ge=0)  # in sizes of the padded box
    colour: float = Field(0.0, ge=0)  # strength of brightness, contrast and tint jitter

    @field_validator("scale_range")
    @classmethod
    def _goes_up(cls, scale_range: tuple[float, float]) -> tuple[float, float]:
        if scale_range[0] > scale_range[1]:
            raise ValueError(f"expected the smaller zoom first, found {scale_range}")
        return scale_range


class TrainSettings(Settings):
    """The loop. The paper gives lr 3e-4 and 200 epochs; batch, schedule and decay are ours."""

    epochs: float = Field(200, gt=0)  # of the store's rows
    batch_size: int = Field(64, gt=0)  # of one process
    lr: float = Field(3e-4, gt=0)
    optimizer: str = "adamw"
    weight_decay: float = Field(0.05, ge=0)
    warmup_epochs: float | None = Field(None, ge=0)  # by default 5, and a tenth of the run at most
    clip_grad: float | None = Field(5.0, gt=0)
    ema_decay: float | None = Field(
        0.9998, gt=0, lt=1
    )  # warmed up, so that short runs are not averaged with their start
    seed: int = 0
    workers: int = Field(2, gt=0)  # decode threads
    memory_gib: float = Field(4.0, ge=0)  # cached heatmaps are held on the device up to this, else read
    log_steps: int = Field(50, gt=0)
    amp: bool = True  # bfloat16 autocast, on CUDA alone
    channels_last: bool = True
    compile: bool = False
    evaluate_epochs: float = Field(0, ge=0)  # measure AP on the evaluation subset every n epochs; 0: only at the end
    evaluate_persons: int = Field(500, gt=0)
    checkpoint_minutes: float = Field(5, gt=0)
    max_rows: int | None = Field(None, gt=0)  # train on the first n rows of the store alone: for trials

    @field_validator("warmup_epochs")
    @classmethod
    def _rises_and_falls(cls, warmup: float | None, info: ValidationInfo) -> float | None:
        epochs = info.data.get("epochs")  # none where that is a mistake itself
        if warmup and epochs is not None and warmup >= epochs:
            raise ValueError(f"a run of {epochs:g} epochs would end before its warm-up; leave it out for a tenth of it")
        return warmup


class StudentSettings(Settings):
    """One student: its name in tables and folders, and all that its training depends on."""

    name: Name
    model: ModelSettings = ModelSettings()
    distill: DistillSettings = DistillSettings()
    augment: AugmentSettings | Literal["paper", "vitpose", "light", "none"] = "vitpose"
    train: TrainSettings = TrainSettings()

    @model_validator(mode="after")
    def _heads_end_at_stride_four(self) -> "StudentSettings":
        expected = tuple(side // 4 for side in self.model.input_size)
        if self.model.heatmap_size != expected:
            raise ValueError(
                f"model.heatmap_size {self.model.heatmap_size}: input_size {self.model.input_size} gives {expected}, "
                "heads end at stride 4"
            )
        return self
