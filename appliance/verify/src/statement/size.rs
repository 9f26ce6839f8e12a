//! How many resources a statement has, before any is kept: an entry takes more memory than the few
//! bytes that a hostile list spends on it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How many elements a value has; none when it is no list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Elements(pub(super) usize);

/// How many elements the field `resources` of a value has; none when it is no object, or has no
/// such field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resources(pub(super) Elements);

impl<'de> Deserialize<'de> for Elements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Count { elements: true }).map(Elements)
    }
}

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Count { elements: false }).map(Elements).map(Resources)
    }
}

/// Counts the elements of a list, or those of an object's field `resources`. Anything else counts
/// as none: what it has to be is for whoever reads it.
struct Count {
    elements: bool,
}

impl<'de> Visitor<'de> for Count {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_i64<E>(self, _: i64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_u64<E>(self, _: u64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_f64<E>(self, _: f64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_str<E>(self, _: &str) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let mut count = 0usize;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count = count.saturating_add(usize::from(self.elements));
        }
        Ok(count)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == "resources" && !self.elements {
                Elements(count) = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_has_elements_and_only_an_object_resources() {
        let resources = |text: &str| serde_json::from_str::<Resources>(text).unwrap().0.0;
        assert_eq!(resources(r#"{"a":[1],"resources":[1,{},[2]],"z":[1,2,3,4]}"#), 3);
        assert_eq!(resources(r#"{"\u0072esources":[1,2]}"#), 2);
        for none in ["[1,2]", "{}", r#"{"resources":{"resources":[1]}}"#, "null", "1", "-1", "0.5"]
        {
            assert_eq!(resources(none), 0, "{none}");
        }
        let elements = |text: &str| serde_json::from_str::<Elements>(text).unwrap().0;
        assert_eq!(elements("[[1,2],{},3]"), 3);
        for none in [r#"{"resources":[1]}"#, "true", "\"x\"", "null"] {
            assert_eq!(elements(none), 0, "{none}");
        }
    }
}
