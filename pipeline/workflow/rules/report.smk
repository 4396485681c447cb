"""The table, the chart, the panels and the angles; each panel waits only for the runs that it shows."""


localrules:
    rows,


rule rows:
    output:
        paths.rows_file(cfg),
    log:
        cfg.out / "logs/settings/rows.log",
    conda:
        "../envs/kdcache.yaml"
    params:
        content=lambda wildcards: options.rows_of_table(cfg),
    shell:
        "printf '%s\\n' {params.content:q} > {output:q} 2> {log:q}"


rule table:
    input:
        paths.measurements(cfg),
        rows=paths.rows_file(cfg),
    output:
        report(
            cfg.out / "report/table.md",
            caption="../report/table.rst",
            category="Table 1",
        ),
        report(
            cfg.out / "report/table.csv",
            caption="../report/table.rst",
            category="Table 1",
        ),
        report(
            cfg.out / "report/table.tex",
            caption="../report/table.rst",
            category="Table 1",
        ),
    log:
        cfg.out / "logs/table.log",
    conda:
        "../envs/kdcache.yaml"
    params:
        out=cfg.out / "report",
    shell:
        "kdcache report table --rows {input.rows:q} --out {params.out:q} 2>&1 | tee -i {log:q}"


rule chart:
    input:
        paths.measurements(cfg),
        rows=paths.rows_file(cfg),
    output:
        report(
            cfg.out / "report/bubble.svg",
            caption="../report/bubble.rst",
            category="Figure 2",
        ),
        cfg.out / "report/bubble.png",
        report(
            cfg.out / "report/bubble.html",
            caption="../report/bubble.rst",
            category="Figure 2",
        ),
    log:
        cfg.out / "logs/chart.log",
    conda:
        "../envs/kdcache.yaml"
    params:
        out=cfg.out / "report",
    shell:
        "kdcache report chart --rows {input.rows:q} --out {params.out:q} 2>&1 | tee -i {log:q}"


rule heatmaps:
    input:
        [paths.run_receipt(cfg, name) for name in cfg.shown],
        paths.split_ready(cfg, "val"),
        paths.first_teacher_files(cfg),
        paths.skeleton_file(cfg),
    output:
        report(
            cfg.out / "report/heatmaps.png",
            caption="../report/heatmaps.rst",
            category="Figure 3",
        ),
    log:
        cfg.out / "logs/heatmaps.log",
    conda:
        "../envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        teacher=cfg.teachers[0].reference,
        shown=cfg.shown,
        options=options.heatmaps_options(cfg),
        execution=lambda wildcards, threads: options.panel_execution(cfg),
    shell:
        "kdcache report heatmaps {params.options:q} {params.execution:q} --out {output:q} 2>&1 | tee -i {log:q}"


rule predictions:
    input:
        paths.run_receipt(cfg, paths.predictions_run(cfg)),
        paths.split_ready(cfg, "val"),
        paths.skeleton_file(cfg),
    output:
        report(
            cfg.out / "report/predictions.png",
            caption="../report/predictions.rst",
            category="Figure 4",
        ),
    log:
        cfg.out / "logs/predictions.log",
    conda:
        "../envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        shown=paths.predictions_run(cfg),
        options=options.predictions_options(cfg),
        execution=lambda wildcards, threads: options.panel_execution(cfg),
    shell:
        "kdcache report predictions {params.options:q} {params.execution:q} --out {output:q} 2>&1 | tee -i {log:q}"


rule hka:
    input:
        [paths.run_receipt(cfg, name) for name in cfg.shown],
        paths.split_ready(cfg, "val"),
        paths.first_teacher_files(cfg),
        paths.skeleton_file(cfg),
    output:
        table=report(
            cfg.out / "report/hka.md",
            caption="../report/hka.rst",
            category="Hip-knee-ankle angle",
        ),
        picture=report(
            cfg.out / "report/hka.png",
            caption="../report/hka.rst",
            category="Hip-knee-ankle angle",
        ),
        vector=cfg.out / "report/hka.svg",
        numbers=cfg.out / "report/hka.json",
    log:
        cfg.out / "logs/hka.log",
    conda:
        "../envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        teacher=cfg.teachers[0].reference,
        shown=cfg.shown,
        rendered=cfg.report.hka_rendered,
        options=options.hka_options(cfg),
        execution=lambda wildcards, threads: options.panel_execution(cfg),
    shell:
        "kdcache hka evaluate {params.options:q} {params.execution:q} --out {output.numbers:q} 2>&1 | tee -i {log:q}"
