"""A teacher's heatmaps of the training persons, in a store."""


rule build:
    input:
        lambda wildcards: paths.build_inputs(cfg, wildcards.teacher),
        ancient(lambda wildcards: paths.build_conditions(cfg, wildcards.teacher)),
    output:
        paths.store_receipt(cfg, "{teacher}"),
    log:
        cfg.out / "logs/build/{teacher}.log",
    conda:
        "../envs/kdcache.yaml"
    threads: workflow.cores
    resources:
        gpu=GPUS,
    params:
        store=str(paths.store_folder(cfg, "{teacher}")),
        options=lambda wildcards: options.build_options(cfg, wildcards.teacher),
        execution=lambda wildcards, threads: options.build_execution(cfg),
    shell:
        "kdcache build {params.store:q} {params.options:q} {params.execution:q} --receipt {output:q} 2>&1 | tee -i {log:q}"
