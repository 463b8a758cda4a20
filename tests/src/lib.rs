//! x

pub mod golden;
