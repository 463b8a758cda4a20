//! Code out of the `.proto` files.

use std::path::Path;

/// Writes the code of the protocol into a folder, a file for each package.
///
/// # Panics
/// When the definitions are not valid, or the folder cannot be written.
pub(crate) fn generate(proto: &Path, out: &Path) {
    let mut compiler = protox::Compiler::new([proto]).expect("the folder of the definitions");
    // Comments would become documentation that is not ours, with examples that do not compile.
    compiler.include_imports(true).include_source_info(false);
    compiler.open_files(["Flight.proto", "FlightSql.proto"]).expect("definitions that are valid");
    tonic_prost_build::configure()
        .out_dir(out)
        .bytes(".")
        .codec_path("crate::codec::FlightCodec")
        // The body is pieces that are written into the frame from where they lie.
        .extern_path(".arrow.flight.protocol.FlightData", "crate::FlightData")
        .emit_rerun_if_changed(false)
        .compile_fds(compiler.file_descriptor_set())
        .expect("code");
}
