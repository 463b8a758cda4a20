//! Columns without children.

use polars_core::prelude::*;
use polars_utils::float16::pf16;

use super::{Frame, cast, plain};

const DAY: i64 = 86_400_000_000_000;

pub(super) fn frames() -> Vec<Frame> {
    let mut frames = vec![
        Frame::new("ints", ints()),
        Frame::new(
            "int128",
            vec![
                plain("i128", vec![Some(i128::MIN), None, Some(-1), Some(1 << 100), Some(i128::MAX)]),
                plain("u128", vec![Some(0), Some(u128::MAX), None, Some(1 << 64), Some(7_u128)]),
            ],
        ),
        Frame::new("floats", floats()),
        Frame::new("float16", vec![float16()]),
        Frame::new("strings", strings()),
        Frame::new("binary_offset", vec![cast(&binary(), &DataType::BinaryOffset).with_name("bytes".into())]),
        Frame::new("temporal", temporal()),
        Frame::new("decimal", decimal()),
    ];
    let typed = [ints(), floats(), strings(), temporal(), decimal()].concat();
    let schema: Schema = typed.iter().map(|series| series.field().into_owned()).collect();
    frames.push(Frame::of("all_null", DataFrame::full_null(&schema, 11)));
    frames
}

fn ints() -> Vec<Series> {
    vec![
        plain("i8", vec![Some(i8::MIN), Some(-1), None, Some(0), Some(i8::MAX)]),
        plain("i16", vec![Some(i16::MIN), Some(-1), None, Some(0), Some(i16::MAX)]),
        plain("i32", vec![Some(i32::MIN), Some(-1), None, Some(0), Some(i32::MAX)]),
        plain("i64", vec![Some(i64::MIN), Some(-1), None, Some(0), Some(i64::MAX)]),
        plain("u8", vec![Some(0), Some(1), None, Some(7), Some(u8::MAX)]),
        plain("u16", vec![Some(0), Some(1), None, Some(7), Some(u16::MAX)]),
        plain("u32", vec![Some(0), Some(1), None, Some(7), Some(u32::MAX)]),
        plain("u64", vec![Some(0), Some(1), None, Some(7), Some(u64::MAX)]),
        plain("no_nulls", vec![1_i64, 2, 3, 4, 5]),
        plain("bool", vec![Some(true), None, Some(false), Some(true), Some(false)]),
        plain("bool_no_nulls", vec![true, true, false, true, false]),
        Series::full_null("null".into(), 5, &DataType::Null),
    ]
}

fn floats() -> Vec<Series> {
    let f64s = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 5e-324, f64::MAX, 0.1];
    let f32s = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, 1e-45, f32::MAX, 0.1];
    vec![
        plain("f64", f64s.into_iter().map(Some).chain([None]).collect()),
        plain("f32", f32s.into_iter().map(Some).chain([None]).collect()),
    ]
}

fn float16() -> Series {
    let bits = [0x0000, 0x8000, 0x3c00, 0xbc00, 0x7bff, 0x0001, 0x7c00, 0xfc00, 0x7e00];
    let values = bits.map(|bits| Some(pf16::from_bits(bits)));
    let values = values.into_iter().chain([None]);
    ChunkedArray::<Float16Type>::from_iter_options("f16".into(), values).into_series()
}

fn strings() -> Vec<Series> {
    let long = "a string that no view can hold inline";
    let texts =
        ["", "short", "exactly 12 b", "13 bytes long", long, "Grüße", "日本語のテキスト", "🦀", "a\0b"];
    let texts = texts.into_iter().map(Some).chain([None]);
    vec![
        plain("str", texts.clone().collect()),
        plain("all_null", vec![None::<&str>; 10]),
        plain("all_empty", vec![""; 10]),
        plain("all_long", vec![long; 10]),
        binary(),
    ]
}

fn binary() -> Series {
    let long = [0xff_u8; 40];
    let values: [&[u8]; 9] =
        [b"", b"\0", b"\xff\xfe", b"twelve bytes", b"thirteen byte", &long, b"a", b"b", b"c"];
    plain("bin", values.into_iter().map(Some).chain([None]).collect())
}

fn temporal() -> Vec<Series> {
    let days = plain("date", vec![Some(0_i32), Some(-719_162), None, Some(2_932_896), Some(19_000)]);
    let ints =
        plain("", vec![Some(0_i64), Some(-1), None, Some(1_357_034_700_123), Some(-2_208_988_800_000)]);
    let times = plain("time", vec![Some(0), Some(1), None, Some(DAY - 1), Some(DAY / 2)]);
    let mut columns = vec![cast(&days, &DataType::Date), cast(&times, &DataType::Time)];
    for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
        let name = |what: &str| PlSmallStr::from(format!("{what}_{}", unit.to_ascii()));
        columns.push(ints.clone().with_name(name("duration")).into_duration(unit));
        columns.push(ints.clone().with_name(name("datetime")).into_datetime(unit, None));
        for zone in ["UTC", "Europe/Zurich", "Asia/Kolkata"] {
            let name = name(&format!("datetime_{zone}"));
            let zone = TimeZone::opt_try_new(Some(zone)).expect("a known zone");
            columns.push(ints.clone().with_name(name).into_datetime(unit, zone));
        }
    }
    columns
}

fn decimal() -> Vec<Series> {
    let column = |name: &str, values: [Option<i128>; 5], precision, scale| {
        let values = Int128Chunked::from_iter_options(name.into(), values.into_iter());
        values.into_decimal_unchecked(precision, scale).into_series()
    };
    let max = 10_i128.pow(38) - 1;
    vec![
        column("decimal_10_2", [Some(0), Some(12_345), None, Some(-1), Some(9_999_999_999)], 10, 2),
        column("decimal_38_10", [Some(max), Some(-max), None, Some(1), Some(-1)], 38, 10),
        column("decimal_38_0", [Some(max), Some(-max), None, Some(1), Some(-1)], 38, 0),
        column("decimal_38_38", [Some(max), Some(-max), None, Some(1), Some(-1)], 38, 38),
        column("decimal_1_0", [Some(9), Some(-9), None, Some(1), Some(-1)], 1, 0),
    ]
}
