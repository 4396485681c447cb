"""One file a subcommand of `kdcache`; each defines a click command named `command`. Others hold what several share."""
