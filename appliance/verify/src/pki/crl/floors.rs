//! The memory that keeps an old CRL from being put back (RFC 5280, section 5.2.3).
//!
//! CRLs of one issuer, one scope and one signing key are a series, and the numbers of a series
//! only go up. A floor is the highest number of a series that was ever verified. This crate has
//! no disk: the caller gives the floors that it kept, and keeps those that come back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Crl, CrlNumber};
use crate::hash::Sha256Digest;
use crate::json::{self, JsonError};
use crate::time::UnixTime;

/// Series at most: far more than any site has issuers.
const MOST_SERIES: usize = 16_384;

/// Levels of nesting of the JSON form.
const JSON_DEPTH: usize = 3;

/// The highest CRL of each series that was ever verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrlFloors(BTreeMap<Series, Floor>);

/// Why bytes are not floors that [`CrlFloors::to_json`] wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlFloorsError {
    /// They are not strict JSON of the right structure.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field does not hold what it should.
    #[error("floor {index}: {field} is not as this program writes it")]
    Field {
        /// The floor's place in the list, from 0.
        index: usize,
        /// The field.
        field: &'static str,
    },
    /// Two floors are about one series.
    #[error("floor {index} is about a series that came before")]
    Repeated {
        /// The second floor's place in the list, from 0.
        index: usize,
    },
}

/// What makes CRLs successors of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::pki) struct Series {
    issuer: Sha256Digest,
    scope: Sha256Digest,
    key: Sha256Digest,
}

impl Series {
    /// The series of `crl` when the key with this fingerprint signed it.
    pub(in crate::pki) fn of(crl: &Crl, key: Sha256Digest) -> Self {
        Series { issuer: crl.issuer_name().digest(), scope: crl.scope_sha256(), key }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Floor {
    number: Option<CrlNumber>,
    this_update: UnixTime,
}

impl Floor {
    fn of(crl: &Crl) -> Self {
        Floor { number: crl.number().cloned(), this_update: crl.this_update() }
    }

    /// Whether `other` is older. The number decides, then thisUpdate; thisUpdate alone where either
    /// has no number, as CRLs of version 1 have none.
    fn is_above(&self, other: &Floor) -> bool {
        match (&self.number, &other.number) {
            (Some(this), Some(number)) => (number, other.this_update) < (this, self.this_update),
            _ => other.this_update < self.this_update,
        }
    }
}

impl CrlFloors {
    /// Reads what [`CrlFloors::to_json`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else. The caller bounds their number.
    pub fn parse(bytes: &[u8]) -> Result<Self, CrlFloorsError> {
        let raw: RawFloors = json::from_slice(bytes, JSON_DEPTH)?;
        let mut floors = BTreeMap::new();
        for (index, raw) in raw.floors.iter().enumerate() {
            let (series, floor) = raw.read(index)?;
            if floors.insert(series, floor).is_some() {
                return Err(CrlFloorsError::Repeated { index });
            }
        }
        Ok(CrlFloors(floors))
    }

    /// JSON in one fixed order: equal floors give equal bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let floors = self.0.iter().map(|(series, floor)| RawFloor::new(series, floor)).collect();
        json::to_vec(&RawFloors { floors })
    }

    /// How many series have a floor.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no CRL was ever verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are `older` ones, raised: no series is missing, and none is lower.
    pub fn raise_all_of(&self, older: &CrlFloors) -> bool {
        let mut joined = older.clone();
        joined.join(self.clone());
        joined == *self
    }

    /// Whether a newer CRL of the series has been verified before; with `until`, one that was
    /// issued by then.
    pub(in crate::pki) fn has_newer(
        &self,
        series: &Series,
        crl: &Crl,
        until: Option<UnixTime>,
    ) -> bool {
        self.0.get(series).is_some_and(|floor| {
            floor.is_above(&Floor::of(crl)) && until.is_none_or(|until| floor.this_update <= until)
        })
    }

    /// Remembers a verified CRL, unless a newer one of its series is known.
    pub(in crate::pki) fn raise(&mut self, series: Series, crl: &Crl) {
        self.raise_to(series, Floor::of(crl));
    }

    /// Raises these to what `others` rule out besides. None is lowered or forgotten.
    pub fn join(&mut self, others: CrlFloors) {
        others.0.into_iter().for_each(|(series, floor)| self.raise_to(series, floor));
    }

    fn raise_to(&mut self, series: Series, mut floor: Floor) {
        if self.0.get(&series).is_some_and(|known| known.is_above(&floor)) {
            return;
        }
        if self.0.len() >= MOST_SERIES && !self.0.contains_key(&series) {
            return;
        }
        // A CRL without a number does not wipe out the number that others of its series had.
        if floor.number.is_none() {
            floor.number = self.0.get(&series).and_then(|old| old.number.clone());
        }
        self.0.insert(series, floor);
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFloors {
    #[serde(deserialize_with = "json::at_most::<MOST_SERIES, _, _>")]
    floors: Vec<RawFloor>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawFloor {
    /// SHA-256 of the issuer's name in canonical form.
    issuer: String,
    /// SHA-256 of the value of issuingDistributionPoint.
    scope: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the key that signed.
    key: String,
    /// Lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    this_update: String,
}

impl RawFloor {
    fn new(series: &Series, floor: &Floor) -> Self {
        RawFloor {
            issuer: series.issuer.to_hex(),
            scope: series.scope.to_hex(),
            key: series.key.to_hex(),
            number: floor.number.as_ref().map(ToString::to_string),
            this_update: floor.this_update.to_string(),
        }
    }

    fn read(&self, index: usize) -> Result<(Series, Floor), CrlFloorsError> {
        let wrong = |field| CrlFloorsError::Field { index, field };
        let digest = |text: &str, field| Sha256Digest::from_hex(text).ok_or_else(|| wrong(field));
        let series = Series {
            issuer: digest(&self.issuer, "issuer")?,
            scope: digest(&self.scope, "scope")?,
            key: digest(&self.key, "key")?,
        };
        let number = match &self.number {
            None => None,
            Some(text) => Some(CrlNumber::from_hex(text).ok_or_else(|| wrong("number"))?),
        };
        let this_update =
            UnixTime::parse_rfc3339(&self.this_update).ok_or_else(|| wrong("thisUpdate"))?;
        Ok((series, Floor { number, this_update }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(key: u8, number: &str) -> String {
        let zeros = "00".repeat(32);
        let key = format!("{key:02x}").repeat(32);
        format!(
            r#"{{"issuer":"{zeros}","scope":"{zeros}","key":"{key}",{number}"thisUpdate":"2030-01-01T00:00:00Z"}}"#
        )
    }

    fn floors(list: &[String]) -> String {
        format!(r#"{{"floors":[{}]}}"#, list.join(","))
    }

    #[test]
    fn what_was_written_is_read_again() {
        let numbers = ["", r#""number":"","#, r#""number":"0102ff","#];
        let list: Vec<String> = (0_u8..).zip(numbers).map(|(key, n)| floor(key, n)).collect();
        let text = floors(&list);
        let read = CrlFloors::parse(text.as_bytes()).unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(read.to_json(), text.as_bytes());
        let empty = CrlFloors::default();
        assert!(empty.is_empty());
        assert_eq!(CrlFloors::parse(&empty.to_json()), Ok(empty));
    }

    #[test]
    fn joined_floors_are_the_higher_ones_of_both() {
        let read = |list: &[String]| CrlFloors::parse(floors(list).as_bytes()).unwrap();
        let number = |text: &str| format!(r#""number":"{text}","#);
        let mut one = read(&[floor(0, &number("05")), floor(1, &number("05"))]);
        one.join(read(&[floor(0, &number("04")), floor(1, &number("06")), floor(2, "")]));
        one.join(read(&[floor(1, "")]));
        let higher = [floor(0, &number("05")), floor(1, &number("06")), floor(2, "")];
        assert_eq!(one, read(&higher));
        one.join(CrlFloors::default());
        assert_eq!(one, read(&higher), "nothing is forgotten");
    }

    #[test]
    fn floors_are_raised_and_never_lowered() {
        let read = |list: &[String]| CrlFloors::parse(floors(list).as_bytes()).unwrap();
        let dated = |number: &str, year: &str| floor(0, number).replace("2030", year);
        let number = |hex: &str| format!(r#""number":"{hex}","#);
        let (one, two) = (number("01"), number("02"));
        let before = read(&[dated(&one, "2030"), floor(1, "")]);
        let raises = |of_0: String, of_1: String| read(&[of_0, of_1]).raise_all_of(&before);
        assert!(raises(dated(&one, "2030"), floor(1, "")));
        assert!(raises(dated(&one, "2031"), floor(1, &one)));
        assert!(raises(dated(&two, "2029"), floor(1, "")), "the number decides");
        assert!(read(&[dated(&one, "2030"), floor(1, ""), floor(2, "")]).raise_all_of(&before));
        assert!(!raises(dated(&one, "2029"), floor(1, "")));
        assert!(!raises(dated(&number(""), "2031"), floor(1, "")));
        assert!(!raises(dated("", "2031"), floor(1, "")), "the number is forgotten");
        assert!(!raises(dated(&one, "2030"), floor(1, &two).replace("2030", "2029")));
        assert!(!read(&[dated(&one, "2030")]).raise_all_of(&before), "a series is forgotten");
        assert!(before.raise_all_of(&CrlFloors::default()));
        assert!(!CrlFloors::default().raise_all_of(&before));
    }

    #[test]
    fn nothing_else_is_read() {
        let field = |text: &str| match CrlFloors::parse(text.as_bytes()) {
            Err(CrlFloorsError::Field { index: 0, field }) => field,
            other => panic!("{other:?}"),
        };
        let good = floors(&[floor(0, "")]);
        for bad in ["0x01", "FF", "00ff", "1", &"11".repeat(21)] {
            assert_eq!(field(&floors(&[floor(0, &format!(r#""number":"{bad}","#))])), "number");
        }
        assert_eq!(field(&good.replace("2030-01-01T00:00:00Z", "2030")), "thisUpdate");
        assert_eq!(field(&good.replacen("00", "0g", 1)), "issuer");
        assert_eq!(field(&good.replace(r#""scope":"00"#, r#""scope":""#)), "scope");
        assert_eq!(field(&good.replace(r#""key":"00"#, r#""key":""#)), "key");
        let twice = floors(&[floor(0, ""), floor(0, "")]);
        assert_eq!(CrlFloors::parse(twice.as_bytes()), Err(CrlFloorsError::Repeated { index: 1 }));
        let unknown = good.replace(r#""issuer""#, r#""more":1,"issuer""#);
        let long = floors(&vec![floor(0, ""); MOST_SERIES + 1]);
        for bad in ["", "{}", "[]", r#"{"floors":[[]]}"#, &unknown, &long] {
            let outcome = CrlFloors::parse(bad.as_bytes());
            assert!(matches!(outcome, Err(CrlFloorsError::Json(_))), "{bad:.60}");
        }
    }
}
