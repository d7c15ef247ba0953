//! Listeners to events: terminal, plain, JSON. They see events only.
