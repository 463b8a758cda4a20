//! Where two types that should be one differ.

use std::fmt;

use polars_core::prelude::*;

/// Where two types that should be one differ, and the type on each side. Polars shows two structs, two enums or two
/// categoricals alike, whatever is in them.
///
/// ```
/// use floe_frame::TypeDifference;
/// use polars_core::prelude::*;
///
/// let of = |dtype| DataType::Struct(vec![Field::new("a".into(), dtype)]);
/// let difference = TypeDifference::between(&of(DataType::Int64), &of(DataType::String)).unwrap();
/// assert_eq!(
///     difference.told("column \"s\"", "x.arrow", "y.arrow"),
///     "column \"s\": field \"a\" is i64 in x.arrow, and str in y.arrow"
/// );
/// assert_eq!(TypeDifference::between(&DataType::Int64, &DataType::Int64), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeDifference {
    /// The way there, from the outside in: `items`, `field "a"`, `category 2`.
    place: Vec<String>,
    left: Found,
    right: Found,
}

/// The value on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Something(String),
    Nothing,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Something(text) => f.write_str(text),
            Self::Nothing => f.write_str("missing"),
        }
    }
}

impl TypeDifference {
    /// The first difference, the outermost one first. Fields of structs are compared by their names,
    /// in whatever order they stand.
    ///
    /// ```
    /// use floe_frame::TypeDifference;
    /// use polars_core::prelude::*;
    ///
    /// let list = |dtype: DataType| DataType::List(Box::new(dtype));
    /// assert!(TypeDifference::between(&list(DataType::Int8), &list(DataType::Int8)).is_none());
    /// assert!(TypeDifference::between(&list(DataType::Int8), &list(DataType::Int16)).is_some());
    /// ```
    #[must_use]
    pub fn between(left: &DataType, right: &DataType) -> Option<Self> {
        match (left, right) {
            (DataType::List(left), DataType::List(right)) => Self::between(left, right).map(Self::in_items),
            #[cfg(feature = "dtype-array")]
            (DataType::Array(left, n), DataType::Array(right, m)) if n == m => {
                Self::between(left, right).map(Self::in_items)
            },
            #[cfg(feature = "dtype-struct")]
            (DataType::Struct(left), DataType::Struct(right)) => Self::between_fields(left, right),
            #[cfg(feature = "dtype-categorical")]
            (DataType::Enum(left, _), DataType::Enum(right, _)) => {
                let values = |categories: &FrozenCategories| -> Vec<String> {
                    categories.categories().values_iter().map(shown).collect()
                };
                Self::between_categories(&values(left), &values(right))
            },
            (left, right) if left == right => None,
            (left, right) => Some(Self::of(described(left), described(right))),
        }
    }

    /// The type in which the values of both have a place: the left one, with the right one's part where the left one
    /// has `Null`, at any depth. `Null` has no values; writers without values write it.
    ///
    /// ```
    /// use floe_frame::TypeDifference;
    /// use polars_core::prelude::*;
    ///
    /// let list = |dtype: DataType| DataType::List(Box::new(dtype));
    /// let common = TypeDifference::common_type(&list(DataType::Null), &list(DataType::Int8));
    /// assert_eq!(common, Ok(list(DataType::Int8)));
    /// assert!(TypeDifference::common_type(&DataType::Int8, &DataType::Int16).is_err());
    /// ```
    ///
    /// # Errors
    /// Where they differ in more than that.
    pub fn common_type(left: &DataType, right: &DataType) -> Result<DataType, Self> {
        match (left, right) {
            (DataType::Null, other) | (other, DataType::Null) => Ok(other.clone()),
            (DataType::List(left), DataType::List(right)) => {
                let items = Self::common_type(left, right).map_err(Self::in_items)?;
                Ok(DataType::List(Box::new(items)))
            },
            #[cfg(feature = "dtype-array")]
            (DataType::Array(left, n), DataType::Array(right, m)) if n == m => {
                let items = Self::common_type(left, right).map_err(Self::in_items)?;
                Ok(DataType::Array(Box::new(items), *n))
            },
            #[cfg(feature = "dtype-struct")]
            (DataType::Struct(left), DataType::Struct(right)) => {
                Self::common_fields(left, right).map(DataType::Struct)
            },
            (left, right) => Self::between(left, right).map_or_else(|| Ok(left.clone()), Err),
        }
    }

    /// The error of a field that one side lacks.
    ///
    /// ```
    /// use floe_frame::TypeDifference;
    /// use polars_core::prelude::*;
    ///
    /// let missing = TypeDifference::missing_on_the_right(&DataType::Int8);
    /// assert_eq!(missing.told("column \"a\"", "x", "y"), "column \"a\" is i8 in x, and missing in y");
    /// ```
    #[must_use]
    pub fn missing_on_the_right(left: &DataType) -> Self {
        Self { place: Vec::new(), left: Found::Something(described(left)), right: Found::Nothing }
    }

    /// As [`missing_on_the_right`](Self::missing_on_the_right), for the other side.
    ///
    /// ```
    /// use floe_frame::TypeDifference;
    /// use polars_core::prelude::*;
    ///
    /// let missing = TypeDifference::missing_on_the_left(&DataType::Int8);
    /// assert_eq!(missing.told("column \"a\"", "x", "y"), "column \"a\" is missing in x, and i8 in y");
    /// ```
    #[must_use]
    pub fn missing_on_the_left(right: &DataType) -> Self {
        Self { place: Vec::new(), left: Found::Nothing, right: Found::Something(described(right)) }
    }

    /// The difference as a sentence about `subject`, which is one thing in `left` and another in `right`.
    ///
    /// ```
    /// use floe_frame::TypeDifference;
    /// use polars_core::prelude::*;
    ///
    /// let difference = TypeDifference::between(&DataType::Int8, &DataType::Int16).unwrap();
    /// assert_eq!(difference.told("the key", "x", "y"), "the key is i8 in x, and i16 in y");
    /// ```
    #[must_use]
    pub fn told(&self, subject: &str, left: &str, right: &str) -> String {
        let mut place = subject.to_owned();
        if !self.place.is_empty() {
            place = format!("{place}: {}", self.place.join(", "));
        }
        format!("{place} is {} in {left}, and {} in {right}", self.left, self.right)
    }

    fn of(left: String, right: String) -> Self {
        Self { place: Vec::new(), left: Found::Something(left), right: Found::Something(right) }
    }

    fn within(mut self, place: String) -> Self {
        self.place.insert(0, place);
        self
    }

    fn in_items(self) -> Self {
        self.within("items".to_owned())
    }

    #[cfg(feature = "dtype-struct")]
    fn in_field(self, field: &Field) -> Self {
        self.within(format!("field {}", shown(field.name())))
    }

    #[cfg(feature = "dtype-struct")]
    fn between_fields(left: &[Field], right: &[Field]) -> Option<Self> {
        let equal = |left: &DataType, right: &DataType| match Self::between(left, right) {
            None => Ok(left.clone()),
            Some(difference) => Err(difference),
        };
        Self::each_field(left, right, equal).err()
    }

    #[cfg(feature = "dtype-struct")]
    fn common_fields(left: &[Field], right: &[Field]) -> Result<Vec<Field>, Self> {
        Self::each_field(left, right, Self::common_type)
    }

    /// Brings fields together that have the same name.
    #[cfg(feature = "dtype-struct")]
    fn each_field(
        left: &[Field],
        right: &[Field],
        both: impl Fn(&DataType, &DataType) -> Result<DataType, Self>,
    ) -> Result<Vec<Field>, Self> {
        let others: PlHashMap<&PlSmallStr, &Field> =
            right.iter().map(|field| (field.name(), field)).collect();
        let mut fields = Vec::with_capacity(left.len());
        for field in left {
            let Some(other) = others.get(field.name()) else {
                return Err(Self::missing_on_the_right(field.dtype()).in_field(field));
            };
            let dtype = both(field.dtype(), other.dtype()).map_err(|found| found.in_field(field))?;
            fields.push(Field::new(field.name().clone(), dtype));
        }
        let known: PlHashSet<&PlSmallStr> = left.iter().map(Field::name).collect();
        match right.iter().find(|field| !known.contains(field.name())) {
            Some(more) => Err(Self::missing_on_the_left(more.dtype()).in_field(more)),
            None => Ok(fields),
        }
    }

    #[cfg(feature = "dtype-categorical")]
    fn between_categories(left: &[String], right: &[String]) -> Option<Self> {
        let (n, m) = (left.len(), right.len());
        let at = (0..n.max(m)).find(|i| left.get(*i) != right.get(*i))?;
        let found = |values: &[String]| values.get(at).cloned().map_or(Found::Nothing, Found::Something);
        Some(Self { place: vec![format!("category {at}")], left: found(left), right: found(right) })
    }
}

/// A type in words, such that two that differ are told apart.
fn described(dtype: &DataType) -> String {
    match dtype {
        #[cfg(feature = "dtype-categorical")]
        DataType::Categorical(categories, _) => {
            let namespace = match categories.namespace().as_str() {
                "" => String::new(),
                namespace => format!(" of namespace {}", shown(namespace)),
            };
            let physical = categories.physical().as_str();
            format!("cat[{}{namespace}, {physical}]", shown(categories.name()))
        },
        DataType::List(items) => format!("list[{}]", described(items)),
        #[cfg(feature = "dtype-array")]
        DataType::Array(items, width) => format!("array[{}, {width}]", described(items)),
        #[cfg(feature = "dtype-struct")]
        DataType::Struct(fields) => {
            let field = |field: &Field| format!("{}: {}", shown(field.name()), described(field.dtype()));
            let mut all: Vec<String> = fields.iter().take(MAX_FIELDS).map(field).collect();
            if fields.len() > MAX_FIELDS {
                all.push(format!("and {} more", fields.len() - MAX_FIELDS));
            }
            format!("struct[{}]", all.join(", "))
        },
        #[cfg(feature = "dtype-extension")]
        DataType::Extension(..) => format!("{dtype:?}"),
        _ => dtype.to_string(),
    }
}

/// Fields of a struct that are named.
#[cfg(feature = "dtype-struct")]
const MAX_FIELDS: usize = 8;
/// Characters of a name or category that are shown.
const MAX_CHARACTERS: usize = 60;

/// A name or category in quotes, cut if it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARACTERS) {
        None => format!("{text:?}"),
        // `char_indices` gives boundaries of characters.
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(left: &DataType, right: &DataType) -> String {
        TypeDifference::between(left, right).map_or(String::new(), |found| found.told("it", "X", "Y"))
    }

    fn fields(fields: &[(&str, DataType)]) -> DataType {
        DataType::Struct(
            fields.iter().map(|(name, dtype)| Field::new((*name).into(), dtype.clone())).collect(),
        )
    }

    #[test]
    fn nested_types_are_followed_to_where_they_differ() {
        let list = |dtype| DataType::List(Box::new(dtype));
        let ab = fields(&[("a", DataType::Int64), ("b", list(fields(&[("c", DataType::Date)])))]);
        assert_eq!(told(&ab, &ab), "");
        let other = fields(&[("b", list(fields(&[("c", DataType::Time)]))), ("a", DataType::Int64)]);
        assert_eq!(told(&ab, &other), "it: field \"b\", items, field \"c\" is date in X, and time in Y");
        let less = fields(&[("a", DataType::Int64)]);
        assert_eq!(told(&less, &ab), "it: field \"b\" is missing in X, and list[struct[\"c\": date]] in Y");
        assert_eq!(told(&list(DataType::Int8), &DataType::Int8), "it is list[i8] in X, and i8 in Y");
        let array = |width| DataType::Array(Box::new(DataType::Int8), width);
        assert_eq!(told(&array(2), &array(3)), "it is array[i8, 2] in X, and array[i8, 3] in Y");
    }

    #[test]
    fn null_gives_way_to_what_the_other_has() {
        let list = |dtype| DataType::List(Box::new(dtype));
        let left = fields(&[("a", DataType::Null), ("b", list(DataType::Null)), ("c", DataType::Int8)]);
        let right = fields(&[("c", DataType::Int8), ("b", list(DataType::Date)), ("a", DataType::String)]);
        let both = fields(&[("a", DataType::String), ("b", list(DataType::Date)), ("c", DataType::Int8)]);
        assert_eq!(TypeDifference::common_type(&left, &right), Ok(both));
        let right = fields(&[("c", DataType::Time), ("b", list(DataType::Date)), ("a", DataType::String)]);
        let found = TypeDifference::common_type(&left, &right).unwrap_err();
        assert_eq!(found.told("it", "X", "Y"), "it: field \"c\" is i8 in X, and time in Y");
    }

    #[test]
    fn enums_differ_at_a_category_and_categoricals_in_their_names() {
        let of = |values: &[&str]| {
            DataType::from_frozen_categories(FrozenCategories::new(values.iter().copied()).unwrap())
        };
        assert_eq!(
            told(&of(&["a", "b", "c"]), &of(&["a", "x", "c"])),
            "it: category 1 is \"b\" in X, and \"x\" in Y"
        );
        assert_eq!(told(&of(&["a"]), &of(&["a", "b"])), "it: category 1 is missing in X, and \"b\" in Y");
        let named = |name: &str, space: &str| {
            let physical = CategoricalPhysical::U8;
            DataType::from_categories(Categories::new(name.into(), space.into(), physical))
        };
        assert_eq!(
            told(&named("fruit", ""), &named("fruit", "shop")),
            "it is cat[\"fruit\", u8] in X, and cat[\"fruit\" of namespace \"shop\", u8] in Y"
        );
    }
}
