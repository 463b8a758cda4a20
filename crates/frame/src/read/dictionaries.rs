//! The dictionaries a reader has met: replaced, extended, looked up.

use std::sync::Arc;

use arrow::array::{Array, Utf8ViewArray};
use arrow::compute::concatenate::concatenate;
use floe_array::decode::{Budget, DecodeOptions, Start, decode_values, empty_values, starts};
use floe_array::dictionary::Categories;
use floe_array::{Body, DecodeCtx, Dictionaries, Executor, Lookup, Part};
use floe_format::{DictionaryHeader, Error, Field, Result};

#[cfg(feature = "dtype-categorical")]
use polars_core::prelude::CategoricalMapping;

use crate::schema::{CategoryTarget, ReadSchema};

/// The dictionaries as of now. A snapshot is shared with the batches that need it.
#[derive(Clone)]
pub(crate) struct Store {
    schema: Arc<ReadSchema>,
    /// By slot: whether a projected column needs it.
    wanted: Vec<bool>,
    current: Arc<Dictionaries>,
}

impl Store {
    /// Empty dictionaries for the slots that are wanted.
    pub(crate) fn new(schema: Arc<ReadSchema>, slots: &[usize]) -> Result<Self> {
        let mut wanted = vec![false; schema.slots.len()];
        for slot in slots {
            if let Some(wanted) = wanted.get_mut(*slot) {
                *wanted = true;
            }
        }
        let mut store = Self {
            current: Arc::new(Dictionaries { lookups: vec![None; wanted.len()], ..Default::default() }),
            schema,
            wanted,
        };
        // A field's slot comes before those of its children, which it needs: from the last to the
        // first.
        for slot in (0..store.wanted.len()).rev() {
            if store.wanted[slot] {
                let values = empty_values(&store.schema.slots[slot], &store.current)?;
                let lookup = store.lookup(slot, &Arc::from(values), None)?;
                Arc::make_mut(&mut store.current).lookups[slot] = Some(lookup);
            }
        }
        Ok(store)
    }

    pub(crate) fn snapshot(&self) -> Arc<Dictionaries> {
        Arc::clone(&self.current)
    }

    /// Whether any projected column uses the dictionary.
    pub(crate) fn wants(&self, id: i64) -> bool {
        self.slots_of(id).next().is_some()
    }

    /// Whether the dictionary has been sent before.
    pub(crate) fn knows(&self, id: i64) -> bool {
        self.current.values.contains_key(&id)
    }

    fn slots_of(&self, id: i64) -> impl Iterator<Item = usize> + '_ {
        let slots = self.schema.slots.iter().zip(&self.wanted).enumerate();
        slots
            .filter(move |(_, (field, wanted))| {
                **wanted && field.dictionary.as_ref().is_some_and(|d| d.id == id)
            })
            .map(|(slot, _)| slot)
    }

    /// Takes in a dictionary batch.
    pub(crate) fn apply(
        &mut self,
        header: &DictionaryHeader,
        body: &dyn Body,
        options: &DecodeOptions,
        budget: &Budget,
        executor: &dyn Executor,
    ) -> Result<()> {
        let id = header.id;
        let slots: Vec<usize> = self.slots_of(id).collect();
        let Some(first) = slots.first() else { return Ok(()) };
        let at = |e: Error| e.at(format!("dictionary {id}"));
        let field = self.value_field(*first, &slots).map_err(at)?;
        let counts = [options.counts(&field)];
        let ends = starts(&header.batch, &counts).map_err(at)?;
        debug_assert_eq!(ends.len(), 2);
        let part = Part::new(&header.batch, body, &self.current, Start::default());
        let mut ctx = DecodeCtx::new(vec![part], options, budget, executor);
        let mut values = decode_values(&mut ctx, &field).map_err(at)?;
        let known = self.current.values.get(&id).cloned();
        let mut before = None;
        if let (true, Some(known)) = (header.is_delta, known) {
            values = concatenate(&[known.as_ref(), values.as_ref()])
                .map_err(|e| at(Error::invalid(e.to_string())))?;
            before = Some(known.len());
        }
        let values: Arc<dyn Array> = Arc::from(values);
        let mut lookups = Vec::with_capacity(slots.len());
        for slot in slots {
            lookups.push((slot, self.lookup(slot, &values, before).map_err(at)?));
        }
        let current = Arc::make_mut(&mut self.current);
        current.values.insert(id, values);
        for (slot, lookup) in lookups {
            current.lookups[slot] = Some(lookup);
        }
        Ok(())
    }

    /// The field of a dictionary's values. Fields that share an id must agree on it.
    fn value_field(&self, first: usize, slots: &[usize]) -> Result<Field> {
        let field = &self.schema.slots[first];
        for slot in slots {
            let other = &self.schema.slots[*slot];
            if other.data_type != field.data_type || other.children.len() != field.children.len() {
                return Err(Error::invalid(format!(
                    "fields \"{}\" and \"{}\" share it but differ in type",
                    field.name, other.name
                )));
            }
        }
        Ok(Field { dictionary: None, ..field.clone() })
    }

    /// What a slot makes of values, of which the first `before` are known to it already.
    fn lookup(&self, slot: usize, values: &Arc<dyn Array>, before: Option<usize>) -> Result<Lookup> {
        let known = before.and_then(|n| match self.current.lookup(slot) {
            Some(Lookup::Categories(known)) => known.map().get(..n),
            _ => None,
        });
        match &self.schema.targets[slot] {
            CategoryTarget::Values => Ok(Lookup::Values(Arc::clone(values))),
            #[cfg(feature = "dtype-categorical")]
            CategoryTarget::Categorical(categories) => {
                let mapping = categories.mapping();
                let insert =
                    |text: &str| mapping.insert_cat(text).map_err(|e| Error::unsupported(e.to_string()));
                let map = map_strings(values.as_ref(), known, &mapping, insert)?;
                Ok(Lookup::Categories(Categories::new(map, width(categories.physical()))?))
            },
            #[cfg(feature = "dtype-categorical")]
            CategoryTarget::Enum(frozen) => {
                let find = |text: &str| {
                    frozen.mapping().get_cat(text).ok_or_else(|| {
                        Error::invalid(format!("\"{text}\" is not among the enum's categories"))
                    })
                };
                let map = map_strings(values.as_ref(), known, frozen.mapping(), find)?;
                Ok(Lookup::Categories(Categories::new(map, width(frozen.physical()))?))
            },
        }
    }
}

#[cfg(feature = "dtype-categorical")]
fn width(physical: polars_core::prelude::CategoricalPhysical) -> u8 {
    use polars_core::prelude::CategoricalPhysical as P;
    match physical {
        P::U8 => 1,
        P::U16 => 2,
        P::U32 => 4,
    }
}

#[cfg(feature = "dtype-categorical")]
fn map_strings(
    values: &dyn Array,
    known: Option<&[Option<u32>]>,
    mapping: &CategoricalMapping,
    mut category: impl FnMut(&str) -> Result<u32>,
) -> Result<Arc<[Option<u32>]>> {
    let strings = values
        .as_any()
        .downcast_ref::<Utf8ViewArray>()
        .ok_or_else(|| Error::invalid("the values of a categorical are not strings"))?;
    let known = known.unwrap_or_default();
    let mut map = Vec::with_capacity(strings.len().max(known.len()));
    map.extend_from_slice(known);
    // Dictionaries are mostly written in the order of the categories: comparing with the one that
    // would come next is a fraction of the work of looking a text up.
    let mut next = known.last().copied().flatten().map_or(0, |last| last.wrapping_add(1));
    for text in strings.iter().skip(known.len()) {
        let Some(text) = text else {
            map.push(None);
            continue;
        };
        let known = mapping.cat_to_str(next).is_some_and(|guess| guess == text);
        let category = if known { next } else { category(text)? };
        next = category.wrapping_add(1);
        map.push(Some(category));
    }
    Ok(map.into())
}
