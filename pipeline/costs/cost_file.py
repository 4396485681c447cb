"""cost.json: what a network costs, and how that was measured."""

from typing import ClassVar

from pydantic import Field

from pipeline.result_file import ResultFile, ResultPart


class ExportSpeed(ResultPart):
    """Speed of a student's ONNX file by ONNX Runtime on the CPU, in float32."""

    images_per_second: float
    #: milliseconds of a single image
    latency_ms: float
    images_per_second_of_runs: tuple[float, ...] = ()
    device: str


class CostProtocol(ResultPart):
    """How a cost was measured; None where a network leaves no choice."""

    #: where a measured pass begins and ends
    measured: str = "unstated"
    #: height, width of a crop in pixels
    input_size: tuple[int, int] | None = None
    #: which number of several runs is reported
    statistic: str = "unstated"
    #: definition of `gmacs`
    gmacs: str = "unstated"
    #: definition of `gflops`
    gflops: str = "unstated"
    #: package -> version
    versions: dict[str, str] = Field(default_factory=dict)
    channels_last: bool | None = None
    compile: bool | None = None
    #: a mixture of experts counted, and run, as one dense network
    folded: bool = False


class Cost(ResultFile):
    """Content of a cost.json; None where a network does not tell (the FLOPs of an ONNX file)."""

    kind: ClassVar[str] = "cost.json of `kdcache benchmark`"

    #: millions of parameters
    params_m: float | None
    #: multiply-accumulates of one image / 10^9
    gmacs: float | None
    #: by Table 1's counter, / 10^9
    gflops: float | None
    images_per_second: float
    #: milliseconds of a single image
    latency_ms: float | None = None
    images_per_second_of_runs: tuple[float, ...] = ()
    batch_size: int
    dtype: str
    device: str
    protocol: CostProtocol = CostProtocol()
    name: str = "unstated"
    #: of a student
    backbone: str | None = None
    #: of a student
    head: str | None = None
    #: of a teacher, as `--teacher` takes it
    reference: str | None = None
    onnxruntime: ExportSpeed | None = None
