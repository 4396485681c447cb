"""Everything that trains: backbones, head, losses, augmentation, loader, the loop."""
