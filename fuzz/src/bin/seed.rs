//! Fills `corpus/`, from which the fuzzer starts: small frames of every dtype x codec x format, and the golden
//! files and fuzz regressions of `ARROW_TEST_DATA`, if that is set.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use floe::prelude::*;
use floe_fuzz::arbitrary::{Arbitrary, dtypes};
use polars_core::prelude::*;

/// Beyond this the fuzzer cuts an input off.
const LONGEST: u64 = 65_536;
/// Inputs of `roundtrip` and `hostile`: their bytes are choices, not a format.
const CHOICES: u64 = 200;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut corpus = Corpus { folder, seeds: 0, compared: 0 };
    for target in ["stream", "file", "hostile", "roundtrip", "differential"] {
        fs::create_dir_all(corpus.folder.join(target))?;
    }
    frames(&mut corpus)?;
    choices(&mut corpus)?;
    match std::env::var_os("ARROW_TEST_DATA") {
        Some(data) => {
            for folder in ["arrow-ipc-stream", "arrow-ipc-file"] {
                test_data(&mut corpus, &Path::new(&data).join(folder))?;
            }
        },
        None => eprintln!("!!!!!!!! ARROW_TEST_DATA is not set: no golden files in the corpus !!!!!!!!"),
    }
    let Corpus { folder, seeds, compared } = corpus;
    println!(
        "{seeds} seeds in {}; arrow-rs reads {compared} columns of theirs as floe does",
        folder.display()
    );
    assert!(compared > 500, "`differential` compares next to nothing");
    Ok(())
}

struct Corpus {
    folder: PathBuf,
    seeds: usize,
    /// Columns that floe and arrow-rs both read.
    compared: usize,
}

impl Corpus {
    /// For the target of its format, and for `differential`.
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        let format = if bytes.starts_with(b"ARROW1") { "file" } else { "stream" };
        self.add_to(format, bytes)?;
        self.add_to("differential", bytes)?;
        self.compared += floe_fuzz::peer::compare(bytes);
        Ok(())
    }

    /// Under a name that its content gives it: a second run adds nothing.
    fn add_to(&mut self, target: &str, bytes: &[u8]) -> io::Result<()> {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        self.seeds += 1;
        fs::write(self.folder.join(target).join(format!("seed-{:016x}", hasher.finish())), bytes)
    }
}

fn frames(corpus: &mut Corpus) -> io::Result<()> {
    let zstd = ZstdLevel::try_new(1).expect("a level there is");
    let codecs = [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(zstd))];
    for (seed, (name, dtype)) in (0..).zip(dtypes()) {
        let df = Arbitrary::new(seed).frame_of(&[("column".into(), dtype)], 6);
        for codec in codecs {
            for level in [CompatLevel::oldest(), CompatLevel::newest()] {
                corpus.add(&stream(&df, codec, level).expect("a frame that can be written"))?;
                corpus.add(&file(&df, codec, level).expect("a frame that can be written"))?;
            }
        }
        corpus.add(&schema_alone(name, df.dtypes()[0].clone()).expect("a schema that can be written"))?;
    }
    Ok(())
}

/// A stream that ends before its first batch, of the dtype and of structs and lists of it.
fn schema_alone(name: &str, dtype: DataType) -> PolarsResult<Vec<u8>> {
    let list = |inner: &DataType| DataType::List(Box::new(inner.clone()));
    let structure = |inner: &DataType| DataType::Struct(vec![Field::new("field".into(), inner.clone())]);
    let mut dtypes = vec![dtype];
    for depth in 0..4 {
        dtypes.extend([list(&dtypes[depth]), structure(&dtypes[depth])]);
    }
    let columns = dtypes.into_iter().enumerate();
    let columns = columns.map(|(index, dtype)| Field::new(format!("{name}{index}").into(), dtype));
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes).batched(&columns.collect())?.finish()?;
    Ok(bytes)
}

/// Two batches, and as many dictionaries as it takes.
fn stream(df: &DataFrame, codec: Option<IpcCompression>, level: CompatLevel) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = IpcStreamWriter::new(&mut bytes)
        .with_compression(codec)
        .with_compat_level(level)
        .with_dictionary_deltas(true)
        .batched(df.schema())?;
    writer.write_batch(&df.head(Some(4)))?;
    writer.write_batch(&df.tail(Some(2)))?;
    writer.finish()?;
    Ok(bytes)
}

fn file(df: &DataFrame, codec: Option<IpcCompression>, level: CompatLevel) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes)
        .with_compression(codec)
        .with_compat_level(level)
        .with_record_batch_size(Some(4))
        .finish(&mut df.clone())?;
    Ok(bytes)
}

fn choices(corpus: &mut Corpus) -> io::Result<()> {
    use rand::Rng as _;
    for seed in 0..CHOICES {
        let mut arbitrary = Arbitrary::new(seed);
        let mut bytes = vec![0; arbitrary.rng().random_range(20..600)];
        arbitrary.rng().fill(bytes.as_mut_slice());
        corpus.add_to("roundtrip", &bytes)?;
        corpus.add_to("hostile", &bytes)?;
    }
    Ok(())
}

/// Files and streams of a folder and those below it; not the JSON beside them.
fn test_data(corpus: &mut Corpus, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, metadata) = (entry.path(), entry.metadata()?);
        if metadata.is_dir() {
            test_data(corpus, &path)?;
        } else if metadata.len() <= LONGEST && path.extension().is_none_or(|ending| ending != "gz") {
            corpus.add(&fs::read(&path)?)?;
        }
    }
    Ok(())
}
