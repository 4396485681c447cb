"""Photos -> teacher's heatmaps in a store -> students trained from the store -> AP and costs -> table, charts, panels.

One rule, one `kdcache` command. A store or a run is never an output, because Snakemake deletes outputs before a job and
after a failure: the receipt that the command writes last is, so that whatever was interrupted goes on where it stopped.
"""

import json
import sys

sys.path.insert(0, workflow.basedir)
from pipeline.config import parse_config

if "students" not in config:

    configfile: "config/demo.yaml"


cfg = parse_config(config)
OUT = cfg.out
STORE = OUT / "store.zarr"
TEACHERS = {teacher.name: teacher.reference for teacher in cfg.teachers}
RUNS = cfg.runs
GPUS = 0 if cfg.device == "cpu" else 1
TRAIN_PHOTOS, TRAIN_PERSONS = cfg.data.path("train", "images"), cfg.data.path(
    "train", "annotations"
)
VAL_PHOTOS, VAL_PERSONS = cfg.data.path("val", "images"), cfg.data.path(
    "val", "annotations"
)
# A row of the table: a teacher, or a student with its control without a teacher.
ROWS = [
    {
        "name": teacher.name,
        "role": "teacher",
        "paper": teacher.paper,
        "metrics": str(OUT / f"metrics/teachers/{teacher.name}.json"),
        "cost": str(OUT / f"costs/teachers/{teacher.name}.json"),
    }
    for teacher in cfg.teachers
] + [
    {
        "name": student.name,
        "role": "student",
        "paper": student.paper,
        "metrics": str(OUT / f"metrics/students/{student.name}.json"),
        "control": str(OUT / f"metrics/students/{control}.json") if control else None,
        "cost": str(OUT / f"costs/students/{student.name}.json"),
    }
    for student in cfg.students
    for control in [next(iter([*student.runs()][1:]), None)]
]
SHOWN = [student.name for student in cfg.students]
# A detector's file is an input of every evaluation; the boxes of the annotations need no file of their own.
DETECTIONS = [] if cfg.evaluate.boxes == "gt" else [cfg.data.root / cfg.evaluate.boxes]


report: "report/workflow.rst"


wildcard_constraints:
    run="|".join(RUNS),
    teacher="|".join(TEACHERS),


if cfg.data.rendered:

    rule demo_data:
        output:
            TRAIN_PERSONS,
            VAL_PERSONS,
        log:
            OUT / "logs/demo_data.log",
        conda:
            "envs/kdcache.yaml"
        threads: workflow.cores
        params:
            root=cfg.data.root,
            persons=cfg.data.rendered.persons,
            val_persons=cfg.data.rendered.val_persons,
            seed=cfg.data.rendered.seed,
        shell:
            "kdcache demo-data {params.root} --persons {params.persons} --val-persons {params.val_persons} "
            "--seed {params.seed} --workers {threads} 2>&1 | tee {log}"

elif cfg.data.download:

    rule download:
        output:
            TRAIN_PERSONS,
            VAL_PERSONS,
        log:
            OUT / "logs/download.log",
        conda:
            "envs/kdcache.yaml"
        params:
            root=cfg.data.root,
        shell:
            "kdcache download coco {params.root} 2>&1 | tee {log}"

    if DETECTIONS:

        rule download_detections:
            output:
                DETECTIONS,
            log:
                OUT / "logs/download_detections.log",
            conda:
                "envs/kdcache.yaml"
            params:
                root=cfg.data.root,
            shell:
                "kdcache download detections {params.root} 2>&1 | tee {log}"


rule build:
    input:
        TRAIN_PERSONS,
    output:
        OUT / "receipts/store.json",
    log:
        OUT / "logs/build.log",
    conda:
        "envs/kdcache.yaml"
    threads: workflow.cores
    resources:
        gpu=GPUS,
    params:
        store=STORE,
        photos=TRAIN_PHOTOS,
        teacher=cfg.teachers[0].reference,
        codec=cfg.store.codec,
        flip="--flip" if cfg.store.flip else "--no-flip",
        crops="--crops" if cfg.store.crops else "--no-crops",
        views=cfg.store.views,
        shard_rows=cfg.store.shard_rows,
        workers=cfg.store.workers,
        batch_size=cfg.store.batch_size,
        device=cfg.device,
    shell:
        "kdcache build {params.store} --teacher {params.teacher:q} --images {params.photos} --annotations {input} "
        "--codec {params.codec} {params.flip} {params.crops} --views {params.views} --shard-rows {params.shard_rows} "
        "--workers {params.workers} --batch-size {params.batch_size} --device {params.device} --receipt {output} "
        "2>&1 | tee {log}"


rule train:
    input:
        OUT / "receipts/store.json",
    output:
        OUT / "receipts/train/{run}.json",
    log:
        OUT / "logs/train/{run}.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        store=STORE,
        run=lambda wildcards: OUT / "runs" / wildcards.run,
        settings=lambda wildcards: RUNS[wildcards.run].model_dump_json(),
        photos="" if cfg.store.crops else f"--images {TRAIN_PHOTOS}",
        device=cfg.device,
    shell:
        "kdcache train {params.store} --out {params.run} --settings {params.settings:q} {params.photos} "
        "--device {params.device} --overwrite --receipt {output} 2>&1 | tee {log}"


rule evaluate_student:
    input:
        run=OUT / "receipts/train/{run}.json",
        persons=VAL_PERSONS,
        detections=DETECTIONS,
    output:
        OUT / "metrics/students/{run}.json",
    log:
        OUT / "logs/evaluate/{run}.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        run=lambda wildcards: OUT / "runs" / wildcards.run,
        photos=VAL_PHOTOS,
        boxes=DETECTIONS or "gt",
        flip="--flip" if cfg.evaluate.flip else "--no-flip",
        batch_size=cfg.evaluate.batch_size,
        device=cfg.device,
    shell:
        "kdcache evaluate {params.run} --images {params.photos} --annotations {input.persons} --boxes {params.boxes} "
        "{params.flip} --batch-size {params.batch_size} --device {params.device} --out {output} 2>&1 | tee {log}"


rule evaluate_teacher:
    input:
        persons=VAL_PERSONS,
        detections=DETECTIONS,
    output:
        OUT / "metrics/teachers/{teacher}.json",
    log:
        OUT / "logs/evaluate/{teacher}.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        reference=lambda wildcards: TEACHERS[wildcards.teacher],
        photos=VAL_PHOTOS,
        boxes=DETECTIONS or "gt",
        flip="--flip" if cfg.evaluate.flip else "--no-flip",
        batch_size=cfg.evaluate.batch_size,
        device=cfg.device,
    shell:
        "kdcache evaluate --teacher {params.reference:q} --images {params.photos} --annotations {input.persons} "
        "--boxes {params.boxes} {params.flip} --batch-size {params.batch_size} --device {params.device} "
        "--out {output} 2>&1 | tee {log}"


# A speed is measured alone: every core is taken, so that nothing else runs beside it.
rule cost_student:
    input:
        OUT / "receipts/train/{run}.json",
    output:
        OUT / "costs/students/{run}.json",
    log:
        OUT / "logs/cost/{run}.log",
    conda:
        "envs/kdcache.yaml"
    threads: workflow.cores
    resources:
        gpu=GPUS,
    params:
        run=lambda wildcards: OUT / "runs" / wildcards.run,
        seconds=cfg.report.benchmark_seconds,
        batch_size=cfg.report.benchmark_batch_size,
        device=cfg.device,
    shell:
        "kdcache benchmark {params.run} --seconds {params.seconds} --batch-size {params.batch_size} "
        "--device {params.device} --out {output} 2>&1 | tee {log}"


rule cost_teacher:
    output:
        OUT / "costs/teachers/{teacher}.json",
    log:
        OUT / "logs/cost/{teacher}.log",
    conda:
        "envs/kdcache.yaml"
    threads: workflow.cores
    resources:
        gpu=GPUS,
    params:
        reference=lambda wildcards: TEACHERS[wildcards.teacher],
        seconds=cfg.report.benchmark_seconds,
        batch_size=cfg.report.benchmark_batch_size,
        device=cfg.device,
    shell:
        "kdcache benchmark --teacher {params.reference:q} --seconds {params.seconds} --batch-size {params.batch_size} "
        "--device {params.device} --out {output} 2>&1 | tee {log}"


rule table:
    input:
        [
            row[key]
            for row in ROWS
            for key in ("metrics", "control", "cost")
            if row.get(key)
        ],
    output:
        report(OUT / "report/table.md", caption="report/table.rst", category="Table 1"),
        report(OUT / "report/table.csv", caption="report/table.rst", category="Table 1"),
        report(OUT / "report/table.tex", caption="report/table.rst", category="Table 1"),
    log:
        OUT / "logs/table.log",
    conda:
        "envs/kdcache.yaml"
    params:
        rows=json.dumps(ROWS),
        out=OUT / "report",
    shell:
        "kdcache report table --rows {params.rows:q} --out {params.out} 2>&1 | tee {log}"


rule chart:
    input:
        [
            row[key]
            for row in ROWS
            for key in ("metrics", "control", "cost")
            if row.get(key)
        ],
    output:
        report(
            OUT / "report/bubble.svg", caption="report/bubble.rst", category="Figure 2"
        ),
        OUT / "report/bubble.png",
        report(
            OUT / "report/bubble.html",
            caption="report/bubble.rst",
            category="Figure 2",
        ),
    log:
        OUT / "logs/chart.log",
    conda:
        "envs/kdcache.yaml"
    params:
        rows=json.dumps(ROWS),
        out=OUT / "report",
    shell:
        "kdcache report chart --rows {params.rows:q} --out {params.out} 2>&1 | tee {log}"


rule heatmaps:
    input:
        expand(OUT / "receipts/train/{run}.json", run=SHOWN),
        persons=VAL_PERSONS,
    output:
        report(
            OUT / "report/heatmaps.png",
            caption="report/heatmaps.rst",
            category="Figure 3",
        ),
    log:
        OUT / "logs/heatmaps.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        photos=VAL_PHOTOS,
        teacher=cfg.teachers[0].reference,
        runs=[f"--run {OUT / 'runs' / name}" for name in SHOWN[:4]],
        rows=cfg.report.persons,
        device=cfg.device,
    shell:
        "kdcache report heatmaps --images {params.photos} --annotations {input.persons} --teacher {params.teacher:q} "
        "{params.runs} --persons {params.rows} --device {params.device} --out {output} 2>&1 | tee {log}"


rule predictions:
    input:
        receipt=OUT / f"receipts/train/{SHOWN[-1]}.json",
        persons=VAL_PERSONS,
    output:
        report(
            OUT / "report/predictions.png",
            caption="report/predictions.rst",
            category="Figure 4",
        ),
    log:
        OUT / "logs/predictions.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        run=OUT / "runs" / SHOWN[-1],
        photos=VAL_PHOTOS,
        device=cfg.device,
    shell:
        "kdcache report predictions --images {params.photos} --annotations {input.persons} --run {params.run} "
        "--device {params.device} --out {output} 2>&1 | tee {log}"


rule hka:
    input:
        receipt=OUT / f"receipts/train/{SHOWN[-1]}.json",
        persons=VAL_PERSONS,
    output:
        numbers=OUT / "report/hka.json",
        picture=report(
            OUT / "report/hka.png",
            caption="report/hka.rst",
            category="Hip-knee-ankle angle",
        ),
        vector=OUT / "report/hka.svg",
    log:
        OUT / "logs/hka.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        teacher=cfg.teachers[0].reference,
        run=OUT / "runs" / SHOWN[-1],
        photos=VAL_PHOTOS,
        rendered=cfg.report.hka_rendered,
        device=cfg.device,
    shell:
        "kdcache hka --evaluate --teacher {params.teacher:q} --student {params.run} --images {params.photos} "
        "--annotations {input.persons} --rendered {params.rendered} --device {params.device} --out {output.numbers} "
        "2>&1 | tee {log}"


rule all:
    default_target: True
    input:
        rules.table.output,
        rules.chart.output,
        rules.heatmaps.output,
        rules.predictions.output,
        rules.hka.output,
