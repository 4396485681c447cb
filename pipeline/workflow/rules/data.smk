"""Photos and annotations: rendered, or downloaded; neither where they are on the disk already."""

if cfg.data.rendered:

    rule demo_data:
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
