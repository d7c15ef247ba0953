//! Planning: tasks and facts in, steps out. Pure.
