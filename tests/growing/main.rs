//! Messages that a caller sends itself, files and streams that are appended to, and streams that are followed.

mod append;
mod edges;
mod encoder;
mod follow;
mod golden;
