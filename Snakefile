"""Photos -> teacher's heatmaps in a store -> students trained from the store -> AP and costs -> table, charts, panels.

One rule, one `kdcache` command. A store or a run is never an output, because Snakemake deletes outputs before a job and
after a failure: the receipt that the command writes last is, so that whatever was interrupted goes on where it stopped.
"""

import json
import re
import sys

sys.path.insert(0, workflow.basedir)
from pipeline.config import parse_config
from pipeline.download import DETECTIONS

if "students" not in config:

    configfile: "config/demo.yaml"


cfg = parse_config(config)
OUT = cfg.out
TEACHERS = {teacher.name: teacher for teacher in cfg.teachers}
RUNS = cfg.runs
GPUS = 0 if cfg.device == "cpu" else 1
TRAIN_PHOTOS, TRAIN_PERSONS = cfg.data.path("train", "images"), cfg.data.path(
    "train", "annotations"
)
VAL_PHOTOS, VAL_PERSONS = cfg.data.path("val", "images"), cfg.data.path(
    "val", "annotations"
)
# What says that a split is there: its annotations, or the receipt of their download.
DOWNLOADED = OUT / "receipts/download.json"
TRAIN_READY = DOWNLOADED if cfg.data.download else TRAIN_PERSONS
VAL_READY = DOWNLOADED if cfg.data.download else VAL_PERSONS
# A detector's file is an input of every evaluation; the boxes of the annotations need no file of their own.
BOXES = "gt" if cfg.evaluate.boxes == "gt" else cfg.data.root / cfg.evaluate.boxes
FETCH_BOXES = cfg.data.download and cfg.evaluate.boxes == DETECTIONS.name
BOXES_READY = (
    OUT / "receipts/detections.json" if FETCH_BOXES else [] if BOXES == "gt" else BOXES
)
STORE_READY = OUT / "receipts/stores/{teacher}.json"
STORE = str(OUT / "stores/{teacher}.zarr")
CACHED = [teacher.name for teacher in cfg.cached_teachers]
TRAINED = OUT / "receipts/train/{run}.json"
# What a job trains: one run, named by its wildcard, or without one all of them from one stream of batches.
JOBS = (
    {None: [*RUNS.values()]}
    if cfg.one_stream
    else {name: [run] for name, run in RUNS.items()}
)
LIVE = [
    job for job, runs in JOBS.items() if any(r.distill.mode == "live" for r in runs)
]
WATCHED = [
    job for job, runs in JOBS.items() if any(r.train.evaluate_epochs for r in runs)
]
PROTOCOL = [
    *("--boxes", BOXES),
    *(() if BOXES == "gt" else ("--score-threshold", cfg.evaluate.score_threshold)),
    "--flip" if cfg.evaluate.flip else "--no-flip",
    *("--batch-size", cfg.evaluate.batch_size),
]
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
MEASURED = [
    row[key] for row in ROWS for key in ("metrics", "control", "cost") if row.get(key)
]
POSER = cfg.report.predictions_student or cfg.students[-1].name


report: "report/workflow.rst"


wildcard_constraints:
    run="|".join(map(re.escape, RUNS)),
    teacher="|".join(map(re.escape, TEACHERS)),


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
            "kdcache demo-data {params.root:q} --persons {params.persons} --val-persons {params.val_persons} "
            "--seed {params.seed} --workers {threads} 2>&1 | tee -i {log:q}"

elif cfg.data.download:

    rule download:
        output:
            DOWNLOADED,
        log:
            OUT / "logs/download.log",
        conda:
            "envs/kdcache.yaml"
        params:
            root=cfg.data.root,
        shell:
            "kdcache download coco {params.root:q} --receipt {output:q} 2>&1 | tee -i {log:q}"

    if FETCH_BOXES:

        rule download_detections:
            output:
                BOXES_READY,
            log:
                OUT / "logs/download_detections.log",
            conda:
                "envs/kdcache.yaml"
            params:
                root=cfg.data.root,
            shell:
                "kdcache download detections {params.root:q} --receipt {output:q} 2>&1 | tee -i {log:q}"


rule build:
    input:
        TRAIN_READY,
        labels=lambda wildcards: (
            VAL_READY if TEACHERS[wildcards.teacher].expect_ap else []
        ),
    output:
        STORE_READY,
    log:
        OUT / "logs/build/{teacher}.log",
    conda:
        "envs/kdcache.yaml"
    threads: workflow.cores
    resources:
        gpu=GPUS,
    params:
        store=STORE,
        teacher=lambda wildcards: TEACHERS[wildcards.teacher].reference,
        photos=TRAIN_PHOTOS,
        persons=TRAIN_PERSONS,
        unlabelled="--unlabelled" if cfg.store.unlabelled else "",
        codec=cfg.store.codec,
        flip="--flip" if cfg.store.flip else "--no-flip",
        crops="--crops" if cfg.store.crops else "--no-crops",
        views=cfg.store.views,
        shard_rows=cfg.store.shard_rows,
        workers=cfg.store.workers,
        batch_size=cfg.store.batch_size,
        max_rmse=["--max-rmse", cfg.store.max_rmse] if cfg.store.max_rmse else [],
        expected=lambda wildcards: [
            option
            for teacher in [TEACHERS[wildcards.teacher]]
            if teacher.expect_ap
            for option in (
                *("--expect-ap", teacher.expect_ap, "--tolerance", teacher.tolerance),
                *("--expect-images", VAL_PHOTOS, "--expect-annotations", VAL_PERSONS),
            )
        ],
        device=cfg.device,
    shell:
        "kdcache build {params.store:q} --teacher {params.teacher:q} --images {params.photos:q} "
        "--annotations {params.persons:q} {params.unlabelled} --codec {params.codec} {params.flip} {params.crops} "
        "--views {params.views} --shard-rows {params.shard_rows} --workers {params.workers} "
        "--batch-size {params.batch_size} {params.max_rmse} {params.expected:q} --device {params.device} "
        "--receipt {output:q} 2>&1 | tee -i {log:q}"


rule train:
    input:
        expand(STORE_READY, teacher=CACHED),
        labels=lambda wildcards: VAL_READY if wildcards.get("run") in WATCHED else [],
    output:
        expand(TRAINED, run=RUNS) if cfg.one_stream else TRAINED,
    log:
        OUT / ("logs/train.log" if cfg.one_stream else "logs/train/{run}.log"),
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        stores=expand(STORE, teacher=CACHED),
        students=lambda wildcards: json.dumps(
            [run.model_dump(mode="json") for run in JOBS[wildcards.get("run")]]
        ),
        photos=[] if cfg.store.crops else ["--images", TRAIN_PHOTOS],
        teacher=lambda wildcards: (
            ["--teacher", cfg.teachers[0].reference]
            if wildcards.get("run") in LIVE
            else []
        ),
        labels=lambda wildcards: (
            ["--val-images", VAL_PHOTOS, "--val-annotations", VAL_PERSONS]
            if wildcards.get("run") in WATCHED
            else []
        ),
        runs=OUT / "runs",
        receipts=OUT / "receipts/train",
        device=cfg.device,
    shell:
        "kdcache train {params.stores:q} --students {params.students:q} --out {params.runs:q} {params.photos:q} "
        "{params.teacher:q} {params.labels:q} --device {params.device} --overwrite --receipt {params.receipts:q} "
        "2>&1 | tee -i {log:q}"


rule evaluate_student:
    input:
        TRAINED,
        VAL_READY,
        BOXES_READY,
    output:
        OUT / "metrics/students/{run}.json",
    log:
        OUT / "logs/evaluate/{run}.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        run=str(OUT / "runs/{run}"),
        photos=VAL_PHOTOS,
        persons=VAL_PERSONS,
        protocol=PROTOCOL,
        device=cfg.device,
    shell:
        "kdcache evaluate {params.run:q} --images {params.photos:q} --annotations {params.persons:q} "
        "{params.protocol:q} --device {params.device} --out {output:q} 2>&1 | tee -i {log:q}"


rule evaluate_teacher:
    input:
        VAL_READY,
        BOXES_READY,
    output:
        OUT / "metrics/teachers/{teacher}.json",
    log:
        OUT / "logs/evaluate/{teacher}.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        teacher=lambda wildcards: TEACHERS[wildcards.teacher].reference,
        photos=VAL_PHOTOS,
        persons=VAL_PERSONS,
        protocol=PROTOCOL,
        device=cfg.device,
    shell:
        "kdcache evaluate --teacher {params.teacher:q} --images {params.photos:q} --annotations {params.persons:q} "
        "{params.protocol:q} --device {params.device} --out {output:q} 2>&1 | tee -i {log:q}"


# A speed is measured alone: every core is taken, so that nothing else runs beside it.
rule cost_student:
    input:
        TRAINED,
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
        run=str(OUT / "runs/{run}"),
        seconds=cfg.report.benchmark_seconds,
        batch_size=cfg.report.benchmark_batch_size,
        device=cfg.device,
    shell:
        "kdcache benchmark {params.run:q} --seconds {params.seconds} --batch-size {params.batch_size} "
        "--device {params.device} --out {output:q} 2>&1 | tee -i {log:q}"


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
        teacher=lambda wildcards: TEACHERS[wildcards.teacher].reference,
        seconds=cfg.report.benchmark_seconds,
        batch_size=cfg.report.benchmark_batch_size,
        device=cfg.device,
    shell:
        "kdcache benchmark --teacher {params.teacher:q} --seconds {params.seconds} --batch-size {params.batch_size} "
        "--device {params.device} --out {output:q} 2>&1 | tee -i {log:q}"


rule table:
    input:
        MEASURED,
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
        "kdcache report table --rows {params.rows:q} --out {params.out:q} 2>&1 | tee -i {log:q}"


rule chart:
    input:
        MEASURED,
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
        "kdcache report chart --rows {params.rows:q} --out {params.out:q} 2>&1 | tee -i {log:q}"


rule heatmaps:
    input:
        expand(TRAINED, run=cfg.shown),
        VAL_READY,
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
        persons=VAL_PERSONS,
        teacher=cfg.teachers[0].reference,
        shown=cfg.shown,
        runs=[part for run in cfg.shown for part in ("--run", OUT / "runs" / run)],
        rows=[part for one in cfg.report.person_ids for part in ("--person", one)]
        or ["--persons", cfg.report.persons],
        device=cfg.device,
    shell:
        "kdcache report heatmaps --images {params.photos:q} --annotations {params.persons:q} "
        "--teacher {params.teacher:q} {params.runs:q} {params.rows} --device {params.device} --out {output:q} "
        "2>&1 | tee -i {log:q}"


rule predictions:
    input:
        expand(TRAINED, run=POSER),
        VAL_READY,
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
        shown=POSER,
        run=OUT / "runs" / POSER,
        photos=VAL_PHOTOS,
        persons=VAL_PERSONS,
        device=cfg.device,
    shell:
        "kdcache report predictions --images {params.photos:q} --annotations {params.persons:q} "
        "--run {params.run:q} --device {params.device} --out {output:q} 2>&1 | tee -i {log:q}"


# The table that the command prints is an output of its own; the log holds the rest.
rule hka:
    input:
        expand(TRAINED, run=cfg.shown),
        VAL_READY,
    output:
        table=report(
            OUT / "report/hka.md",
            caption="report/hka.rst",
            category="Hip-knee-ankle angle",
        ),
        picture=report(
            OUT / "report/hka.png",
            caption="report/hka.rst",
            category="Hip-knee-ankle angle",
        ),
        vector=OUT / "report/hka.svg",
        numbers=OUT / "report/hka.json",
    log:
        OUT / "logs/hka.log",
    conda:
        "envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        shown=cfg.shown,
        teacher=cfg.teachers[0].reference,
        students=[
            part for run in cfg.shown for part in ("--student", OUT / "runs" / run)
        ],
        photos=VAL_PHOTOS,
        persons=VAL_PERSONS,
        rendered=cfg.report.hka_rendered,
        device=cfg.device,
    shell:
        "kdcache hka --evaluate --teacher {params.teacher:q} {params.students:q} --images {params.photos:q} "
        "--annotations {params.persons:q} --rendered {params.rendered} --device {params.device} "
        "--out {output.numbers:q} 2>&1 | tee -i {log:q}"


rule all:
    default_target: True
    input:
        rules.table.output,
        rules.chart.output,
        rules.heatmaps.output,
        rules.predictions.output,
        rules.hka.output,
