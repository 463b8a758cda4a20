//! The dictionaries a reader has met: replaced, extended, looked up.

use std::sync::Arc;

use arrow::array::{Array, Utf8ViewArray};
use floe_array::category::Categories;
use floe_array::chunks::Chunks;
use floe_array::decode::{Budget, ColumnOffsets, DecodeOptions, column_offsets, decode_values, empty_values};
use floe_array::{Body, ColumnPart, DecodeCtx, Dictionaries, Lookup};
use floe_format::{DictionaryHeader, Error, ErrorKind, Field, Result};
use floe_runtime::Executor;
use polars_core::prelude::PlHashMap;

#[cfg(feature = "dtype-categorical")]
use polars_core::prelude::CategoricalMapping;

use crate::schema::{CategoryTarget, ReadSchema};

/// The dictionaries as of now. A snapshot is shared with the batches that need it.
#[derive(Clone)]
pub(crate) struct Store {
    plan: Arc<Plan>,
    current: Arc<Dictionaries>,
    /// The dictionaries received so far, by id. Values only if a field takes them as they are.
    sent: PlHashMap<i64, SentDictionary>,
}

#[derive(Clone)]
struct SentDictionary {
    len: usize,
    values: Option<Chunks>,
}

/// Which dictionaries are wanted, and in which forms. Found once, so that a dictionary batch takes no longer for a
/// schema of many fields than for one of few.
struct Plan {
    schema: Arc<ReadSchema>,
    by_id: PlHashMap<i64, DictionaryUse>,
}

/// The use of a dictionary by the wanted columns.
struct DictionaryUse {
    /// The slots of the first field that has it, and of the first that has it with values of another type.
    slot: usize,
    differs: Option<usize>,
    lookups: Vec<LookupUse>,
}

/// A lookup that some fields share.
struct LookupUse {
    number: usize,
    target: CategoryTarget,
}

/// The most bytes that a value of a dictionary takes in a lookup: eight where others are null, in memory that grows by
/// doubling.
const CATEGORY_BYTES: usize = 16;

impl DictionaryUse {
    fn needs_values(&self) -> bool {
        self.lookups.iter().any(|wish| matches!(wish.target, CategoryTarget::Values))
    }
}

impl Plan {
    /// The plan, and for each slot the number of its lookup, and how many lookups there are.
    fn new(schema: Arc<ReadSchema>, slots: &[usize]) -> (Self, Arc<[usize]>, usize) {
        let mut numbers = vec![usize::MAX; schema.slot_count()];
        let mut by_id: PlHashMap<i64, DictionaryUse> = PlHashMap::default();
        let mut numbers_of: PlHashMap<(i64, usize), usize> = PlHashMap::default();
        let mut sorted = slots.to_vec();
        sorted.sort_unstable();
        for slot in sorted {
            let (Some(field), Some(target)) = (schema.slot(slot), schema.targets.get(slot)) else { continue };
            let Some(encoding) = &field.dictionary else { continue };
            let wanted = by_id.entry(encoding.id).or_insert_with(|| DictionaryUse {
                slot,
                differs: None,
                lookups: Vec::new(),
            });
            if wanted.differs.is_none()
                && !schema.slot(wanted.slot).is_some_and(|first| same_values(first, field))
            {
                wanted.differs = Some(slot);
            }
            let count = numbers_of.len();
            let number = *numbers_of.entry((encoding.id, target.identity())).or_insert(count);
            numbers[slot] = number;
            if number == count {
                wanted.lookups.push(LookupUse { number, target: target.clone() });
            }
        }
        (Self { schema, by_id }, numbers.into(), numbers_of.len())
    }
}

/// Whether the values of two dictionary-encoded fields are of one type.
fn same_values(a: &Field, b: &Field) -> bool {
    let same_keys = |a: &Field, b: &Field| match (&a.dictionary, &b.dictionary) {
        (None, None) => true,
        (Some(a), Some(b)) => a.id == b.id && a.index == b.index,
        _ => false,
    };
    let mut children = a.children.iter().zip(&b.children);
    a.data_type == b.data_type
        && a.children.len() == b.children.len()
        && children.all(|(a, b)| same_keys(a, b) && same_values(a, b))
}

/// How many dictionaries lie one inside the other in the values of a field.
fn levels_within(field: &Field) -> usize {
    let levels = |child: &Field| levels_within(child) + usize::from(child.dictionary.is_some());
    // A field without children has no level below it.
    field.children.iter().map(levels).max().unwrap_or(0)
}

impl Store {
    /// Empty dictionaries for the slots that are wanted.
    pub(crate) fn new(schema: Arc<ReadSchema>, slots: &[usize]) -> Result<Self> {
        let (plan, numbers, count) = Plan::new(schema, slots);
        let mut current = Dictionaries::grouped(numbers, count);
        // Values that hold keys need the dictionaries of those keys first. Ids may be shared by fields at any depth, so
        // the order of the slots says nothing: the number of dictionaries one inside the other does.
        let mut all: Vec<(usize, &DictionaryUse, &Field)> = Vec::with_capacity(plan.by_id.len());
        all.extend(plan.by_id.values().filter_map(|wanted| {
            let field = plan.schema.slot(wanted.slot)?;
            Some((levels_within(field), wanted, field))
        }));
        all.sort_unstable_by_key(|(levels, wanted, _)| (*levels, wanted.slot));
        for (_, wanted, field) in all {
            let values: Arc<dyn Array> =
                match empty_values(field, &current, plan.schema.types.unrepresentable) {
                    Ok(values) => Arc::from(values),
                    // Fields that share an id and differ in type: an error for the batch that needs it.
                    Err(error) if matches!(error.kind, ErrorKind::DictionaryMissing(_)) => continue,
                    Err(error) => return Err(error),
                };
            for LookupUse { number, target } in &wanted.lookups {
                current.set(*number, lookup(target, None, &values, None)?);
            }
        }
        Ok(Self { plan: Arc::new(plan), current: Arc::new(current), sent: PlHashMap::default() })
    }

    pub(crate) fn snapshot(&self) -> Arc<Dictionaries> {
        Arc::clone(&self.current)
    }

    /// Whether no projected column uses a dictionary.
    pub(crate) fn is_empty(&self) -> bool {
        self.plan.by_id.is_empty()
    }

    /// Whether any projected column uses the dictionary.
    pub(crate) fn wants(&self, id: i64) -> bool {
        self.plan.by_id.contains_key(&id)
    }

    /// Whether the dictionary has been sent before.
    pub(crate) fn knows(&self, id: i64) -> bool {
        self.sent.contains_key(&id)
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
        let plan = Arc::clone(&self.plan);
        let Some(wanted) = plan.by_id.get(&header.id) else { return Ok(()) };
        let decode = || {
            let field = plan.value_field(wanted)?;
            let ends = column_offsets(&header.batch, &[options.counts_of_values(field)])?;
            debug_assert_eq!(ends.len(), 2);
            let part = ColumnPart::new(&header.batch, body, &self.current, ColumnOffsets::default());
            decode_values(&mut DecodeCtx::new(vec![part], options, budget, executor), field)
        };
        let at = |e: Error| e.at(format!("dictionary {}", header.id));
        let new = decode().map_err(at)?;
        self.take(wanted, header, new, budget).map_err(at)
    }

    /// Takes values that have been sent.
    fn take(
        &mut self,
        wanted: &DictionaryUse,
        header: &DictionaryHeader,
        new: Box<dyn Array>,
        budget: &Budget,
    ) -> Result<()> {
        let known = self.sent.get(&header.id).filter(|_| header.is_delta);
        let before = known.map(|sent| sent.len);
        // A dictionary that is new or replaced begins with no values.
        let len = before.unwrap_or(0).saturating_add(new.len());
        let new: Arc<dyn Array> = Arc::from(new);
        let values = match known.and_then(|sent| sent.values.clone()) {
            _ if !wanted.needs_values() => None,
            None => Some(Chunks::new(Arc::clone(&new))),
            Some(mut chunks) => {
                chunks.push(Arc::clone(&new), budget)?;
                Some(chunks)
            },
        };
        let mut lookups = Vec::with_capacity(wanted.lookups.len());
        for LookupUse { number, target } in &wanted.lookups {
            budget.charge_product(new.len().saturating_add(1), CATEGORY_BYTES)?;
            let known = self.current.group(*number).filter(|_| before.is_some());
            lookups.push((*number, lookup(target, values.as_ref(), &new, known)?));
        }
        let current = Arc::make_mut(&mut self.current);
        for (number, lookup) in lookups {
            current.set(number, lookup);
        }
        self.sent.insert(header.id, SentDictionary { len, values });
        Ok(())
    }
}

impl Plan {
    /// The field of a dictionary's values. Fields that share an id must agree on it.
    fn value_field(&self, wanted: &DictionaryUse) -> Result<&Field> {
        let lost = || Error::invalid("no field of the schema has it");
        let field = self.schema.slot(wanted.slot).ok_or_else(lost)?;
        match wanted.differs.and_then(|slot| self.schema.slot(slot)) {
            None => Ok(field),
            Some(other) => Err(Error::invalid(format!(
                "fields \"{}\" and \"{}\" share it but differ in type",
                field.name, other.name
            ))),
        }
    }
}

/// The form that fields give a dictionary. Either all its values are `new`, or `new` follows the values that `known`
/// was made of. Values that stay as they are come from `all`, where there is more than one piece of them.
fn lookup(
    target: &CategoryTarget,
    all: Option<&Chunks>,
    new: &Arc<dyn Array>,
    known: Option<&Lookup>,
) -> Result<Lookup> {
    match target {
        CategoryTarget::Values => Ok(match all {
            None => Lookup::Values(Arc::clone(new)),
            Some(chunks) => match chunks.arrays() {
                [one] => Lookup::Values(Arc::clone(one)),
                _ => Lookup::Chunks(chunks.clone()),
            },
        }),
        #[cfg(feature = "dtype-categorical")]
        CategoryTarget::Categorical(categories) => {
            let mapping = categories.mapping();
            let insert = |text: &str| mapping.insert_cat(text).map_err(|e| Error::unsupported(e.to_string()));
            map_strings(new.as_ref(), known, width(categories.physical()), &mapping, insert)
        },
        #[cfg(feature = "dtype-categorical")]
        CategoryTarget::Enum(frozen) => {
            let find = |text: &str| {
                frozen
                    .mapping()
                    .get_cat(text)
                    .ok_or_else(|| Error::invalid(format!("\"{text}\" is not among the enum's categories")))
            };
            map_strings(new.as_ref(), known, width(frozen.physical()), frozen.mapping(), find)
        },
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

/// The categories of strings, behind those known already.
#[cfg(feature = "dtype-categorical")]
fn map_strings(
    new: &dyn Array,
    known: Option<&Lookup>,
    width: u8,
    mapping: &CategoricalMapping,
    mut category: impl FnMut(&str) -> Result<u32>,
) -> Result<Lookup> {
    let strings = new
        .as_any()
        .downcast_ref::<Utf8ViewArray>()
        .ok_or_else(|| Error::invalid("the values of a categorical are not strings"))?;
    let mut categories = match known {
        Some(Lookup::Categories(known)) => known.clone(),
        _ => Categories::new([].into(), width)?,
    };
    let mut map = floe_runtime::alloc::try_with_capacity(strings.len())?;
    // Dictionaries are mostly written in the order of the categories: comparing with the one that
    // would come next is a fraction of the work of looking a text up.
    let mut next = categories.last().map_or(0, |last| last.wrapping_add(1));
    for text in strings {
        let Some(text) = text else {
            map.push(None);
            continue;
        };
        let known = mapping.cat_to_str(next).is_some_and(|guess| guess == text);
        let category = if known { next } else { category(text)? };
        next = category.wrapping_add(1);
        map.push(Some(category));
    }
    categories.extend(&map)?;
    Ok(Lookup::Categories(categories))
}
