# Everyday commands. `just` alone lists them.

_default:
    @just --list --unsorted

# The program, as it is released: target/release/tow
build:
    cargo build --release --locked

# Sets up and runs every test; a FILTER runs the Rust tests whose names contain it
test *FILTER:
    tests/run {{FILTER}}

# Formatting and lints, as CI has them
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Speed beside `ssh host true`: `just bench --quick`, `just bench --row one-host-100ms --runs 5`
bench *OPTIONS:
    cargo build --release --locked
    cargo bench --bench speed -- {{OPTIONS}}

# Deploys the example application to three hosts inside this process
demo *OPTIONS:
    cargo run --release --locked -- demo {{OPTIONS}}

# Draws docs/demo.svg anew from a real run, in a terminal of tmux
picture:
    cargo build --release --locked
    docs/picture target/release/tow
