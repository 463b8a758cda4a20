//! Frames of an input, as few as are needed.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use floe::prelude::*;
use floe_format::constants::FILE_PREFIX;
use floe_format::{ErrorKind, IpcLimits};
use floe_tools::{Contents, Fault, Kind, MessageId};
use polars_core::prelude::*;

use crate::error::{Failure, Result, without_methods};
use crate::input::Input;

type Frames = Box<dyn Iterator<Item = Result<DataFrame>>>;

/// Names the input in an error.
pub(crate) fn of<T>(input: &Input, result: PolarsResult<T>) -> Result<T> {
    result.map_err(|error| named(&input.name, &input.path.display().to_string(), error))
}

fn named(name: &str, path: &str, error: PolarsError) -> Failure {
    match Failure::from(error) {
        Failure::Message(text) => {
            let text = text.strip_prefix(&format!("{path}: ")).unwrap_or(&text);
            Failure::of(name, text)
        },
        other => other,
    }
}

/// The input indexed by its heads; it must be whole.
pub(crate) fn index(input: &Input) -> Result<IpcIndex> {
    of(input, IpcIndex::open(&input.path, IpcLimits::default()))
}

fn positions(input: &Input, index: &IpcIndex, columns: Option<&[String]>) -> Result<Vec<usize>> {
    match columns {
        Some(columns) => of(input, index.column_indices(columns)),
        None => Ok((0..index.column_names().len()).collect()),
    }
}

/// The schema of the frames that will come, and the frames, a record batch each. Of what is not whole, those that are;
/// then an error.
pub(crate) fn frames(
    input: &Input,
    contents: &Contents,
    columns: Option<&[String]>,
) -> Result<(Schema, Frames)> {
    if contents.is_whole() {
        let index = index(input)?;
        let columns = positions(input, &index, columns)?;
        let schema = of(input, index.schema(Some(&columns)))?;
        let (name, path) = (input.name.clone(), input.path.display().to_string());
        let batches = (0..index.num_record_batches())
            .map(move |i| index.read(i..i + 1, &columns, true).map_err(|error| named(&name, &path, error)));
        return Ok((schema, Box::new(batches)));
    }
    let mut reader = stream(input, contents, columns)?;
    let schema = projected(of(input, reader.polars_schema())?, columns);
    let batches = of(input, reader.batches())?;
    let (name, path) = (input.name.clone(), input.path.display().to_string());
    Ok((schema, Box::new(batches.map(move |frame| frame.map_err(|error| named(&name, &path, error))))))
}

/// The schema of the columns asked for; that they are there, the reader has seen to.
fn projected(schema: Schema, columns: Option<&[String]>) -> Schema {
    match columns {
        None => schema,
        Some(columns) => {
            let found =
                columns.iter().filter_map(|name| Some((name.as_str().into(), schema.get(name)?.clone())));
            found.collect()
        },
    }
}

/// A reader at the beginning of the messages.
pub(crate) fn stream(
    input: &Input,
    contents: &Contents,
    columns: Option<&[String]>,
) -> Result<IpcStreamReader<File>> {
    let mut file = File::open(&input.path).map_err(|error| Failure::io(&input.path, &error))?;
    if contents.kind != Kind::Streams {
        let start = SeekFrom::Start(FILE_PREFIX.len() as u64);
        file.seek(start).map_err(|error| Failure::io(&input.path, &error))?;
    }
    Ok(IpcStreamReader::new(file).with_columns(columns.map(<[String]>::to_vec)))
}

/// The first rows: of the last batch that is needed, no more than that.
pub(crate) fn first(
    input: &Input,
    contents: &Contents,
    n: usize,
    columns: Option<&[String]>,
) -> Result<DataFrame> {
    let columns = columns.map(<[String]>::to_vec);
    if contents.kind == Kind::File {
        let file = File::open(&input.path).map_err(|error| Failure::io(&input.path, &error))?;
        return of(input, IpcReader::new(file).with_n_rows(Some(n)).with_columns(columns).finish());
    }
    if contents.is_whole() && contents.streams.len() == 1 {
        return of(input, stream(input, contents, columns.as_deref())?.with_n_rows(Some(n)).finish());
    }
    let (schema, frames) = frames(input, contents, columns.as_deref())?;
    let mut all = DataFrame::empty_with_schema(&schema);
    for frame in frames {
        match frame {
            Ok(frame) => drop(all.vstack_mut(&frame)?),
            // The whole batches have been shown; `floe verify` names the others.
            Err(_) if !contents.is_whole() => break,
            Err(error) => return Err(error),
        }
        if all.height() >= n {
            break;
        }
    }
    Ok(all.head(Some(n)))
}

/// The rows of one batch for which a predicate holds, which builds without `query` do not have.
pub(crate) fn of_batch(
    input: &Input,
    number: usize,
    filter: Option<&str>,
    columns: Option<&[String]>,
) -> Result<DataFrame> {
    let contents = input.scan()?;
    let n = contents.batches.len();
    let none = || Failure::of(&input.name, format!("there is no batch {number}: it has {n}, counted from 0"));
    if number >= n {
        return Err(none());
    }
    // The predicate may be about columns that are not shown.
    let read = if filter.is_some() { None } else { columns };
    let frame = match contents.is_whole() {
        true => Batches::open(input, read)?.read(number)?,
        false => frames(input, &contents, read)?.1.nth(number).ok_or_else(none)??,
    };
    match filter {
        #[cfg(feature = "query")]
        Some(filter) => crate::query::of_frame(frame, Some(filter), columns),
        _ => Ok(frame),
    }
}

/// The batches of a whole input, each of which is read alone.
pub(crate) struct Batches<'a> {
    input: &'a Input,
    index: IpcIndex,
    columns: Vec<usize>,
}

impl<'a> Batches<'a> {
    pub(crate) fn open(input: &'a Input, columns: Option<&[String]>) -> Result<Self> {
        let index = index(input)?;
        let columns = positions(input, &index, columns)?;
        Ok(Self { input, index, columns })
    }

    pub(crate) fn read(&self, number: usize) -> Result<DataFrame> {
        of(self.input, self.index.read(number..number.saturating_add(1), &self.columns, true))
    }
}

/// The last rows.
pub(crate) fn last(
    input: &Input,
    contents: &Contents,
    n: usize,
    columns: Option<&[String]>,
) -> Result<DataFrame> {
    if contents.is_whole() {
        let index = index(input)?;
        let columns = positions(input, &index, columns)?;
        let batches = index.num_record_batches();
        let mut start = batches;
        let mut rows = 0;
        while start > 0 && rows < n {
            start -= 1;
            rows = index.batch_size(start).map_or(rows, |(more, _)| rows.saturating_add(more));
        }
        let schema = of(input, index.schema(Some(&columns)))?;
        if start == batches {
            return Ok(DataFrame::empty_with_schema(&schema));
        }
        return Ok(of(input, index.read(start..batches, &columns, true))?.tail(Some(n)));
    }
    let (schema, frames) = frames(input, contents, columns)?;
    let mut all = DataFrame::empty_with_schema(&schema);
    for frame in frames.map_while(Result::ok) {
        all.vstack_mut(&frame)?;
        all = all.tail(Some(n));
    }
    Ok(all)
}

/// The Polars type of each column, and whether that is another type than was written.
pub(crate) fn dtypes(input: &Input, schema: &floe_format::Schema) -> Vec<Option<(String, bool)>> {
    let Ok(index) = index(input) else { return vec![None; schema.fields.len()] };
    let of = |(i, field): (usize, &floe_format::Field)| {
        let found = index.schema(Some(&[i])).ok()?;
        let (_, dtype) = found.iter().next()?;
        Some((dtype.to_string(), differs(field, dtype)))
    };
    schema.fields.iter().enumerate().map(of).collect()
}

/// Whether a dtype stands for another type than the one written. Widths of offsets and views are no difference.
fn differs(field: &floe_format::Field, dtype: &DataType) -> bool {
    use floe_format::DataType as Wire;
    use floe_format::TimeUnit as Unit;
    if field.dictionary.is_some() {
        return !matches!(dtype, DataType::Categorical(..) | DataType::Enum(..));
    }
    match &field.data_type {
        Wire::Map { .. }
        | Wire::Union { .. }
        | Wire::Interval(_)
        | Wire::RunEndEncoded
        | Wire::FixedSizeBinary(_) => true,
        Wire::Date64 | Wire::Time { bits: 32, .. } | Wire::Time { unit: Unit::Microsecond, .. } => true,
        Wire::Timestamp { unit: Unit::Second, .. } | Wire::Duration(Unit::Second) => true,
        Wire::Timestamp { timezone: Some(zone), .. } => {
            !matches!(dtype, DataType::Datetime(_, Some(known)) if known.as_str() == zone.as_str())
        },
        Wire::Decimal { scale, bits, .. } => *bits != 128 || *scale < 0,
        Wire::List | Wire::LargeList | Wire::ListView | Wire::LargeListView | Wire::FixedSizeList(_) => {
            let inner = dtype.inner_dtype();
            field.children.first().zip(inner).is_some_and(|(child, inner)| differs(child, inner))
        },
        Wire::Struct => match dtype {
            DataType::Struct(fields) => {
                field.children.iter().zip(fields).any(|(child, field)| differs(child, field.dtype()))
            },
            _ => true,
        },
        _ => false,
    }
}

/// Faults that only values show: every batch is decoded, with all checks. Types that Polars cannot hold are no fault;
/// whether there were none, so that all values have been looked at.
pub(crate) fn value_faults(input: &Input, all: bool) -> (Vec<Fault>, bool) {
    let mut faults = Vec::new();
    let mut is_all = true;
    let Ok(contents) = input.scan() else { return (faults, false) };
    let found = match IpcIndex::open(&input.path, IpcLimits::default()) {
        Ok(index) => index,
        Err(error) => {
            if is_fault(&error) {
                faults.push(Fault::new(0, without_methods(&error.to_string())));
            }
            return (faults, false);
        },
    };
    for (number, batch) in contents.batches.iter().enumerate() {
        for column in 0..found.column_names().len() {
            let read = found.read(number..number + 1, &[column], true);
            let Err(error) = read else { continue };
            if !is_fault(&error) {
                is_all = false;
                continue;
            }
            let place = floe::error_place(&error);
            let what = floe::error_kind(&error).map_or_else(|| error.to_string(), ToString::to_string);
            let mut fault = Fault::new(batch.offset, without_methods(&what)).within(MessageId::Batch(number));
            fault.column = found.column_names().nth(column).map(ToString::to_string);
            fault.buffer = place.and_then(|place| place.buffer);
            faults.push(fault);
            if !all {
                return (faults, false);
            }
        }
    }
    (faults, is_all)
}

fn is_fault(error: &PolarsError) -> bool {
    !matches!(
        floe::error_kind(error),
        None | Some(ErrorKind::UnsupportedType(_) | ErrorKind::LimitExceeded { .. })
    )
}
