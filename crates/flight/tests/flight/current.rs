//! The committed code is what the definitions generate.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use floe_flight::{FlightData, FlightDescriptor};
use prost::Message;

use crate::generate::generate;

/// `FLOE_UPDATE=1` writes the code anew.
#[test]
fn the_generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join("src/generated");
    let out = tempfile::tempdir().expect("a folder");
    generate(&root.join("proto"), out.path());
    let mut count = 0;
    for entry in fs::read_dir(out.path()).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        // The well-known types are those of prost.
        if name.to_string_lossy().starts_with("google.") {
            continue;
        }
        let new = fs::read_to_string(&path).expect("code");
        let target = committed.join(name);
        if std::env::var_os("FLOE_UPDATE").is_some() {
            fs::write(&target, &new).expect("a file that can be written");
        }
        let old = fs::read_to_string(&target).unwrap_or_default();
        assert!(old == new, "{} is not current: run this test with FLOE_UPDATE=1", target.display());
        count += 1;
    }
    assert_eq!(count, 2, "a file for each package");
}

/// `FlightData` as prost would make it.
#[derive(Clone, PartialEq, Message)]
struct Plain {
    #[prost(message, optional, tag = "1")]
    flight_descriptor: Option<FlightDescriptor>,
    #[prost(bytes = "bytes", tag = "2")]
    data_header: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    app_metadata: Bytes,
    #[prost(bytes = "bytes", tag = "1000")]
    data_body: Bytes,
}

#[test]
fn flight_data_has_the_bytes_of_the_generated_type() {
    let descriptors = [None, Some(FlightDescriptor::default()), Some(FlightDescriptor::of_path(["a", "b"]))];
    let bodies: [&[&[u8]]; 4] = [&[], &[b"one piece"], &[b"two", b" pieces"], &[b"", &[7; 300]]];
    for flight_descriptor in descriptors {
        for pieces in bodies {
            for (header, metadata) in [("", ""), ("header", ""), ("", "metadata"), ("header", "metadata")] {
                let (data_header, app_metadata) = (Bytes::from(header), Bytes::from(metadata));
                let data_body = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
                let flight_descriptor = flight_descriptor.clone();
                let ours = FlightData { flight_descriptor, data_header, app_metadata, data_body };
                let bytes = ours.encode_to_vec();
                assert_eq!(bytes.len(), ours.encoded_len());
                let plain = Plain::decode(bytes.as_slice()).expect("a message");
                assert_eq!(plain.data_body, pieces.concat());
                assert_eq!(plain.encode_to_vec(), bytes);
                assert_eq!(FlightData::decode(bytes.as_slice()).expect("a message"), ours);
            }
        }
    }
}

#[test]
fn unknown_fields_are_passed_over_and_wrong_ones_refused() {
    let mut bytes = FlightData { app_metadata: "known".into(), ..FlightData::default() }.encode_to_vec();
    bytes.extend([(9 << 3) | 2, 3, 1, 2, 3]);
    assert_eq!(FlightData::decode(bytes.as_slice()).expect("a message").app_metadata, "known");
    for wrong in [&[0x10, 1][..], &[0x12, 200, 1], &[0xFF], &[0x0A, 1, 0xFF]] {
        assert!(FlightData::decode(wrong).is_err(), "{wrong:?}");
    }
}
