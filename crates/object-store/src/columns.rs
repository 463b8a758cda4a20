//! Which columns a read is of.

use floe_frame::IpcIndex;
use polars_core::prelude::*;

/// Columns of an object, in the order in which they are wanted: names, positions, or all. The argument of
/// [`IpcObjectRead::columns`](crate::IpcObjectRead::columns).
///
/// ```
/// use floe_object_store::ObjectColumns;
///
/// let by_name = ObjectColumns::from(["day", "delay"]);
/// let by_position = ObjectColumns::from([0, 3]);
/// let all = ObjectColumns::default();
/// # let _ = (by_name, by_position, all);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ObjectColumns(Wanted);

#[derive(Debug, Clone, Default)]
enum Wanted {
    #[default]
    All,
    Names(Vec<PlSmallStr>),
    Positions(Vec<usize>),
}

impl ObjectColumns {
    /// Their positions.
    pub(crate) fn positions(&self, index: &IpcIndex) -> PolarsResult<Vec<usize>> {
        match &self.0 {
            Wanted::All => Ok((0..index.column_names().len()).collect()),
            Wanted::Names(names) => index.column_indices(names),
            // Checked by the plan.
            Wanted::Positions(positions) => Ok(positions.clone()),
        }
    }
}

/// `From` for lists of something.
macro_rules! from_lists {
    ($($item:ty => $wanted:ident),* $(,)?) => {$(
        impl From<Vec<$item>> for ObjectColumns {
            fn from(columns: Vec<$item>) -> Self {
                Self(Wanted::$wanted(columns.into_iter().map(Into::into).collect()))
            }
        }

        impl From<&[$item]> for ObjectColumns {
            fn from(columns: &[$item]) -> Self {
                columns.to_vec().into()
            }
        }

        impl From<&Vec<$item>> for ObjectColumns {
            fn from(columns: &Vec<$item>) -> Self {
                columns.clone().into()
            }
        }

        impl<const N: usize> From<[$item; N]> for ObjectColumns {
            fn from(columns: [$item; N]) -> Self {
                Vec::from(columns).into()
            }
        }

        impl<const N: usize> From<&[$item; N]> for ObjectColumns {
            fn from(columns: &[$item; N]) -> Self {
                columns.to_vec().into()
            }
        }
    )*};
}

from_lists!(&str => Names, String => Names, PlSmallStr => Names, usize => Positions);

impl<T: Into<Self>> From<Option<T>> for ObjectColumns {
    fn from(columns: Option<T>) -> Self {
        columns.map(Into::into).unwrap_or_default()
    }
}
