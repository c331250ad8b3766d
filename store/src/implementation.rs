//! How the store works.
