//! Arguments, wiring, exit codes.
