//! Black-box suites over a running node.
