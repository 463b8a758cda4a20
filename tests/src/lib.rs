//! Helpers of the tests: frames of every dtype, strict equality, every way to write and to read.

pub mod arbitrary;
pub mod config;
pub mod equal;
pub mod examples;
pub mod frames;
pub mod golden;
pub mod hostile;
pub mod messages;
pub mod mutate;
pub mod planted;
pub mod run;
