//! Whoever asks.
