"""Photos and annotations: rendered, downloaded or on the disk already; then checked, before anything is built of them."""

if cfg.data.rendered:

    rule demo_data:
        input:
            paths.skeleton_file(cfg),
        output:
            cfg.data.path("train", "annotations"),
            cfg.data.path("val", "annotations"),
        log:
            cfg.out / "logs/demo_data.log",
        conda:
            "../envs/kdcache.yaml"
        threads: workflow.cores
        params:
            root=cfg.data.root,
            options=options.demo_data_options(cfg),
        shell:
            "kdcache demo-data {params.root:q} {params.options:q} --workers {threads} 2>&1 | tee -i {log:q}"

elif cfg.data.download:

    rule download:
        output:
            paths.download_receipt(cfg),
        log:
            cfg.out / "logs/download.log",
        conda:
            "../envs/kdcache.yaml"
        params:
            root=cfg.data.root,
        shell:
            "kdcache download coco {params.root:q} --receipt {output:q} 2>&1 | tee -i {log:q}"

    if paths.detections_are_downloaded(cfg):

        rule download_detections:
            output:
                paths.boxes_ready(cfg),
            log:
                cfg.out / "logs/download_detections.log",
            conda:
                "../envs/kdcache.yaml"
            params:
                root=cfg.data.root,
            shell:
                "kdcache download detections {params.root:q} --receipt {output:q} 2>&1 | tee -i {log:q}"


rule check:
    input:
        lambda wildcards: paths.check_inputs(cfg, wildcards.split),
    output:
        paths.split_ready(cfg, "{split}"),
    log:
        cfg.out / "logs/check/{split}.log",
    conda:
        "../envs/kdcache.yaml"
    threads: workflow.cores
    params:
        options=lambda wildcards: options.check_options(cfg, wildcards.split),
    shell:
        "kdcache check {params.options:q} --workers {threads} --receipt {output:q} 2>&1 | tee -i {log:q}"
