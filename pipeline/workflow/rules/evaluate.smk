"""AP and costs of each network: a teacher, a student or a control."""


rule evaluate:
    input:
        lambda wildcards: paths.network_ready(cfg, wildcards.network),
        paths.split_ready(cfg, "val"),
        paths.skeleton_file(cfg),
    output:
        paths.metrics_file(cfg, "{network}"),
    log:
        cfg.out / "logs/evaluate/{network}.log",
    conda:
        "../envs/kdcache.yaml"
    resources:
        gpu=GPUS,
    params:
        network=lambda wildcards: options.network_argument(cfg, wildcards.network),
        options=lambda wildcards: options.evaluate_options(cfg, wildcards.network),
        execution=lambda wildcards, threads: options.evaluate_execution(cfg),
    shell:
        "kdcache evaluate {params.network:q} {params.options:q} {params.execution:q} --out {output:q} 2>&1 | tee -i {log:q}"


# All cores are taken, so that nothing else runs while a speed is measured.
rule cost:
    input:
        lambda wildcards: paths.network_ready(cfg, wildcards.network),
    output:
        paths.cost_file(cfg, "{network}"),
    log:
        cfg.out / "logs/cost/{network}.log",
    conda:
        "../envs/kdcache.yaml"
    threads: workflow.cores
    resources:
        gpu=GPUS,
    params:
        network=lambda wildcards: options.network_argument(cfg, wildcards.network),
        options=options.benchmark_options(cfg),
    shell:
        "kdcache benchmark {params.network:q} {params.options:q} --out {output:q} 2>&1 | tee -i {log:q}"
