//! The values of a dictionary that grows by deltas, in pieces.
//!
//! A delta is a few values behind many. Copying all of them for each delta would take quadratic time. So the values
//! stay in pieces that are joined as in a log-structured merge tree: a piece joins the one before it if it is at least
//! half as long. There are never more pieces than the logarithm of the number of values, and a value is copied about as
//! often.

use std::sync::Arc;

use arrow::array::{Array, BinaryViewArray, BinaryViewArrayGeneric, Utf8ViewArray, View, ViewType};
use floe_format::{Error, Result};
use floe_runtime::alloc::probe;

use crate::budget::Budget;
use crate::join::join_charged;

/// Arrays of one type, one behind another. A clone shares them.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::PrimitiveArray;
/// use floe_array::{chunks::Chunks, decode::Budget};
/// use floe_format::IpcLimits;
///
/// let budget = Budget::new(&IpcLimits::default());
/// let mut values = Chunks::new(Arc::new(PrimitiveArray::from_vec(vec![1i64, 2, 3])));
/// values.push(Arc::new(PrimitiveArray::from_vec(vec![4i64])), &budget)?;
/// assert_eq!((values.len(), values.arrays().len()), (4, 2));
/// values.push(Arc::new(PrimitiveArray::from_vec(vec![5i64])), &budget)?;
/// assert_eq!((values.len(), values.arrays().len()), (5, 1));
/// # floe_format::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Chunks {
    arrays: Vec<Arc<dyn Array>>,
    len: usize,
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lens: Vec<usize> = self.arrays.iter().map(|array| array.len()).collect();
        f.debug_struct("Chunks").field("lens", &lens).finish()
    }
}

impl Chunks {
    /// Values in one piece.
    #[must_use]
    pub fn new(array: Arc<dyn Array>) -> Self {
        Self { len: array.len(), arrays: vec![array] }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces, of which there is at least one.
    #[must_use]
    pub fn arrays(&self) -> &[Arc<dyn Array>] {
        &self.arrays
    }

    /// Adds values behind those that are there.
    ///
    /// # Errors
    /// When the copies take more than the budget has, and when the values are of another type. Nothing has changed
    /// then.
    pub fn push(&mut self, new: Arc<dyn Array>, budget: &Budget) -> Result<()> {
        if self.arrays.first().is_some_and(|first| first.dtype() != new.dtype()) {
            return Err(Error::invalid("a delta of a dictionary has values of another type"));
        }
        if new.is_empty() {
            return Ok(());
        }
        let len = self.len.saturating_add(new.len());
        let mut arrays = self.arrays.clone();
        let mut last = new;
        while let Some(before) = arrays.pop_if(|before| last.len() >= before.len().div_ceil(2)) {
            let joined = join_charged(&[before.to_boxed(), last.to_boxed()], budget)?;
            last = Arc::from(in_one_buffer(joined, budget)?);
        }
        arrays.push(last);
        (self.arrays, self.len) = (arrays, len);
        Ok(())
    }
}

/// Strings and bytes with their data in a buffer of their own. Otherwise there would be one for each delta, and
/// gathering takes time for each of them.
fn in_one_buffer(array: Box<dyn Array>, budget: &Budget) -> Result<Box<dyn Array>> {
    fn copied<T: ViewType + ?Sized>(
        array: &BinaryViewArrayGeneric<T>,
        budget: &Budget,
    ) -> Result<Option<Box<dyn Array>>> {
        if array.data_buffers().len() < 2 {
            return Ok(None);
        }
        let bytes = array.total_bytes_len();
        budget.charge_product(bytes, 1)?;
        budget.charge_product(array.len(), size_of::<View>())?;
        probe(bytes)?;
        Ok(Some(array.clone().gc().boxed()))
    }
    let any = array.as_any();
    let copied = if let Some(strings) = any.downcast_ref::<Utf8ViewArray>() {
        copied(strings, budget)?
    } else if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
        copied(bytes, budget)?
    } else {
        None
    };
    // Arrays without data buffers stay as they are.
    Ok(copied.unwrap_or(array))
}
