//! x

pub mod arbitrary;
pub mod config;
pub mod equal;
pub mod golden;
pub mod messages;
pub mod run;
