//! Dictionaries: of all chunks, nested, growing.

use super::*;

#[test]
fn the_categories_of_all_chunks_are_one_dictionary() {
    let dtype = categories("chunks");
    let mut df = frame(vec![categorical("c", &dtype, &[Some("a"), Some("b")])]);
    for values in [[Some("c"), None], [Some("b"), Some("d")], [None, Some("a")]] {
        df.vstack_mut(&frame(vec![categorical("c", &dtype, &values)])).expect("the same schema");
    }
    for config in both() {
        for rows in [1, 2, 3, 100] {
            let config = config.with_batch_rows(rows);
            let bytes = config.write(&df);
            let messages = messages_of(&config, &bytes);
            assert_eq!(dictionaries(&messages).len(), 1, "one dictionary");
            assert!(!dictionaries(&messages)[0].1);
            assert_frames_equal(&df, &read(&config, &bytes));
        }
    }
}

#[test]
fn nested_dictionaries_have_ids_of_their_own() {
    let dtype = categories("nested");
    let column = |name: &str| categorical(name, &dtype, &[Some("a"), Some("b"), None]);
    let series = |name: &str| column(name).take_materialized_series();
    let lists =
        series("l").reshape_list(&[ReshapeDimension::Infer, ReshapeDimension::new(1)]).expect("lists");
    let fields = [series("x"), series("y")];
    let structs = StructChunked::from_series("s".into(), 3, fields.iter()).expect("structs").into_series();
    let colours = FrozenCategories::new(["a", "b"]).expect("categories");
    let colours =
        series("e").cast(&DataType::String).and_then(|s| s.cast(&DataType::from_frozen_categories(colours)));
    let df = frame(vec![
        column("c"),
        lists.into_column(),
        structs.into_column(),
        colours.expect("an enum").into_column(),
    ]);
    for config in both() {
        let bytes = config.write(&df);
        let ids: std::collections::HashSet<_> =
            dictionaries(&messages_of(&config, &bytes)).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 5);
        assert_frames_equal(&df, &read(&config, &bytes));
    }
}

/// Batches whose categories grow, stay, and grow again.
fn growing() -> Vec<DataFrame> {
    let dtype = categories("growing");
    [
        &[Some("a"), Some("b"), None][..],
        &[Some("b"), Some("c"), Some("a")],
        &[Some("c"), Some("a")],
        &[None, None],
        &[Some("d"), Some("e"), Some("a")],
    ]
    .map(|values| frame(vec![categorical("c", &dtype, values)]))
    .into()
}

#[test]
fn a_stream_replaces_its_dictionary_when_categories_grow() {
    let batches = growing();
    let bytes = Config::stream().write_batches(&batches);
    let sent = dictionaries(&messages(&bytes).0);
    assert!(sent.iter().all(|(_, delta)| !delta), "a delta that nobody asked for");
    assert_eq!(sent.len(), 3, "sent again only when it has to be");
    read_growing(&batches, &bytes);
}

#[test]
fn a_stream_sends_deltas_on_request() {
    let batches = growing();
    let mut writer = IpcStreamWriter::new(Vec::new())
        .with_dictionary_deltas(true)
        .batched(batches[0].schema())
        .expect("a writer");
    for batch in &batches {
        writer.write_batch(batch).expect("bytes");
    }
    assert_eq!(writer.finish().expect("bytes").dictionaries, 3);
    let bytes = writer.into_inner();
    let sent: Vec<_> = dictionaries(&messages(&bytes).0).into_iter().map(|(_, delta)| delta).collect();
    assert_eq!(sent, [false, true, true]);
    read_growing(&batches, &bytes);
}

fn read_growing(batches: &[DataFrame], bytes: &[u8]) {
    let mut found = Vec::new();
    for batch in IpcStreamReader::new(bytes).batches().expect("batches") {
        found.push(batch.expect("a batch"));
    }
    assert_eq!(found.len(), batches.len());
    batches.iter().zip(&found).for_each(|(batch, found)| assert_frames_equal(batch, found));
    let whole = concat(batches.iter().cloned().map(Ok)).expect("one schema").expect("batches");
    assert_frames_equal(&whole, &IpcStreamReader::new(bytes).finish().expect("a frame"));
    assert_frames_equal(&whole, &IpcStreamReader::from_bytes(bytes.to_vec()).finish().expect("a frame"));
}

#[test]
fn a_file_has_one_dictionary_however_categories_grow() {
    let batches = growing();
    let bytes = Config::file().write_batches(&batches);
    let footer = root_as_footer(&bytes[footer(&bytes)]).expect("a footer");
    let blocks = footer.dictionaries().expect("dictionaries");
    let mut ids = HashMap::new();
    for block in blocks {
        let start = usize::try_from(block.offset()).expect("an offset");
        let end = start + usize::try_from(block.metaDataLength()).expect("a length");
        let message = root_as_message(&bytes[start + 8..end]).expect("a message");
        let header = message.header_as_dictionary_batch().expect("a dictionary");
        assert!(!header.isDelta(), "some readers do not take deltas in files");
        *ids.entry(header.id()).or_insert(0) += 1;
    }
    assert!(ids.values().all(|&count| count == 1), "{ids:?}");
    let mut reader = IpcReader::from_bytes(bytes.clone());
    assert_eq!(reader.num_record_batches().expect("a count"), batches.len());
    for (index, batch) in batches.iter().enumerate() {
        assert_frames_equal(batch, &reader.get_batch(index).expect("a batch"));
    }
    assert!(reader.custom_metadata().expect("metadata").is_some());
    let whole = concat(batches.into_iter().map(Ok)).expect("one schema").expect("batches");
    assert_frames_equal(&whole, &reader.finish().expect("a frame"));
}
