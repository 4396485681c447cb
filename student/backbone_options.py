"""The options of a timm network that settings and run.json may hold: sizes, rates and the names of layers.

timm.create_model also takes names of files and addresses that it would read or fetch (`checkpoint_path`,
`pretrained_cfg`, `cache_dir`, ...). A run.json comes from other people, too: only what is named here reaches timm.
"""

import math
import re

#: a layer's name in timm, as `gelu` or `batchnorm2d`: nothing that could be a path or an address
LAYER_NAME = re.compile(r"[A-Za-z0-9_]{0,40}")
#: no network is so wide
LARGEST = 100_000
#: options that kdcache sets itself
SET_HERE = frozenset(("features_only", "global_pool", "in_chans", "num_classes", "pretrained"))
NAMES = """
    aa_layer act_layer attn_drop_rate attn_groups attn_head_dim_reduction attn_layer attn_mlp attn_mlp_ratio attn_ratio
    avg_down base_dim base_dims base_width block_reduce_first bn_size bottle_ratio bottleneck_width_ratio cardinality
    channel_multiplier channels class_token conv_bias conv_mlp conv_ratio cpe_act crop_scale d2_scales depth depth_list
    depth_mult depths dim dim_mul dims down_kernel_size down_patch_size down_stride downsample downsample_expand_ratios
    downsample_kernel_size downsamples drop_block_rate drop_path_rate drop_rate dw_act_layer dynamic_img_pad
    dynamic_img_size embed_dim embed_dims embed_norm_layer expand_ratio expansion_ratio ffn_ratio final_chs final_norm
    first_stride fix_stem focal_levels focal_windows fused_conv global_block_counts group groups growth_rate
    growth_rates head_dim heads hidden_sizes img_scale img_size init_channels init_values initial_chs inner_dim
    inplanes k_r k_sec kernel_size kernel_sizes kernels key_dim layer_scale layer_scale_init_value
    layer_scale_init_values layers levels local_conv_size local_up_to_layer ls_init_value mask_unit_size
    mbconv_expand_ratio memory_efficient merge_size mlp_bias mlp_ratio mlp_ratios n_div neck_chans no_embed_class
    norm_eps norm_layer norm_layer_cl num_blocks num_blocks_list num_features num_heads num_init_features num_kv_heads
    num_reg_tokens num_rnn_layers num_vit out_indices output_stride pad_type partial_dim patch_drop_rate patch_kernel
    patch_norm patch_padding patch_size patch_sizes patch_stride pool_size pos_drop_rate preact proj_bias
    proj_drop_rate q_pool q_stride qk_dim qk_norm qkv_bias reduction reg_tokens rel_pos_dim rel_pos_type
    replace_stem_pool repmixer_kernel_size rope_temperature se_downsamples se_layer se_ratio small small_kernels
    sr_ratios ssd_expand stages state_dim stem_bias stem_chs stem_expand_ratio stem_hidden_dim stem_kernel_size
    stem_norm stem_size stem_stride stem_type stem_width strict_img_size stride strides token_mixers
    transformer_depths transition_compression_ratio use_grn use_layer_scale use_pos_emb use_pos_embed use_rel_pos
    use_rope weight_init widen_factor width width_factor width_list width_mult widths window_ratio window_size
    window_sizes window_spec zero_init_last
"""
ALLOWED = frozenset(NAMES.split())


def check_options(options: dict[str, object]) -> None:
    """Raise ValueError where options hold one that is not allowed, or a value that is no number or layer's name."""
    for name, value in options.items():
        if name in SET_HERE:
            raise ValueError(f"{name} is set by kdcache: leave it out")
        if name not in ALLOWED:
            raise ValueError(
                f"{name[:80]!r} may not be given: expected sizes, rates and layers of timm's networks, such as "
                "channels, stem_width, depths, drop_path_rate, act_layer (student/backbone_options.py has them all)"
            )
        if not _is_allowed(value):
            raise ValueError(f"{name} is {str(value)[:80]!r}: expected numbers, or the name of a layer in timm")


def _is_allowed(value: object, depth: int = 0) -> bool:
    if isinstance(value, (list, tuple)):
        return depth < 4 and len(value) <= 100 and all(_is_allowed(part, depth + 1) for part in value)
    if isinstance(value, str):
        return LAYER_NAME.fullmatch(value) is not None
    if isinstance(value, (bool, int, float)):
        return math.isfinite(value) and abs(value) <= LARGEST
    return value is None
