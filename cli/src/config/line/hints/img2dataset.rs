//! Options of img2dataset that do not exist here. Their names have hyphens for underscores.

use super::Hint;

pub(super) const OPTIONS: &[Hint] = &[
    (&["url-list"], "write -i FILE"),
    (&["url-col"], "write --url-column NAME"),
    (&["number-sample-per-shard"], "write --tar-count N"),
    (
        &["output-format"],
        "write --tar DIR or --output-dir DIR for bodies, --format FORM for records",
    ),
    (&["incremental-mode"], "write --state DIR"),
    (&["compute-hash"], "write --checksum ALGORITHM"),
    (&["verify-hash"], "write the column checksum in the list"),
    (
        &[
            "image-size",
            "resize-mode",
            "resize-only-if-bigger",
            "encode-format",
            "encode-quality",
            "skip-reencode",
        ],
        "leave it out: bodies are saved unchanged",
    ),
    (
        &[
            "distributor",
            "subjob-size",
            "enable-wandb",
            "wandb-project",
        ],
        "leave it out, or see --metrics-listen and --report",
    ),
];
