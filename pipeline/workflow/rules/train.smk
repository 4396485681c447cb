"""Students, each in a job, or all of them in one job that decodes and augments every batch once."""


localrules:
    settings,


rule settings:
    output:
        paths.students_file(cfg, "{training}"),
    log:
        cfg.out / "logs/settings/{training}.log",
    conda:
        "../envs/kdcache.yaml"
    params:
        content=lambda wildcards: options.settings_of_results(
            paths.trainings(cfg)[wildcards.training]
        ),
    shell:
        "printf '%s\\n' {params.content:q} > {output:q} 2> {log:q}"


rule train:
    input:
        lambda wildcards: paths.train_inputs(
            cfg, wildcards.get("run", paths.ONE_STREAM)
        ),
        students=paths.students_file(
            cfg, paths.ONE_STREAM if cfg.one_stream else "{run}"
        ),
    output:
        (
            [paths.run_receipt(cfg, name) for name in cfg.runs]
            if cfg.one_stream
            else paths.run_receipt(cfg, "{run}")
        ),
    log:
        cfg.out / ("logs/train.log" if cfg.one_stream else "logs/train/{run}.log"),
    conda:
        "../envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        options=lambda wildcards: options.train_options(
            cfg, wildcards.get("run", paths.ONE_STREAM)
        ),
        execution=lambda wildcards, threads: options.train_execution(
            cfg, wildcards.get("run", paths.ONE_STREAM)
        ),
        receipts=cfg.out / "receipts/train",
    shell:
        "kdcache train {params.options:q} {params.execution:q} --students {input.students:q} --overwrite "
        "--receipt {params.receipts:q} 2>&1 | tee -i {log:q}"
