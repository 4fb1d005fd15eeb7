//! Container test harness: see the README.
