//! Starts real nodes and stand-ins for third parties; for tests only.
