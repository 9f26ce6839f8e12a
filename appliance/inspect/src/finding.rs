//! What an inspection reports, besides the format.

use std::fmt;

use crate::malformed::shown;
use crate::names::Names;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What a finding is about. A policy decides by the kind, and by the subject where a kind has
        /// an allow-list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Kind] = &[$(Kind::$variant,)+];

            /// The last part of the code that reasons carry, after `content.`.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)+ }
            }
        }
    };
}

kinds! {
    /// The file, or a part of it, breaks the rules of its format. The subject is empty.
    Malformed = "malformed",
    /// The file's name ends in a way that promises another format. The subject is the ending.
    Extension = "extension",
    /// A pickle imports a name. The subject is `module.name`, as Python would resolve it.
    PickleGlobal = "pickle-global",
    /// A pickle calls what is no imported name, or cannot be told. The subject is empty.
    PickleCall = "pickle-call",
    /// Weights are elsewhere: outside of the model, not signed, or not where they are said to be. The
    /// subject is the location as written.
    ExternalData = "external-data",
    /// An index and the files that it lists do not agree. The subject is the tensor or file.
    Index = "index",
    /// A graph uses operators of a domain. The subject is the domain (ONNX), `ai.onnx` for the default.
    OperatorDomain = "operator-domain",
    /// A graph uses an operator that is not the format's ordinary computation. The subject is its name.
    Operator = "operator",
    /// A model is built from a class or function that can be anything. The subject is its full name.
    Class = "class",
    /// A file leads to another file (HDF5: soft and external links, external storage; Keras: arguments
    /// that name a file). The subject is where it leads to.
    Link = "link",
    /// A template does more than lay out text. The subject is the SHA-256 of the whole template, in hex.
    Template = "template",
    /// A regular expression that can take time without bound. The subject is the expression, shortened.
    Regex = "regex",
    /// Something asks a loader to run code that comes with the model. The subject is the key or name.
    RemoteCode = "remote-code",
    /// An archive holds something that its format does not have. The subject is the member's format.
    Member = "member",
    /// A document carries macros. The subject is their place.
    Macro = "macro",
    /// A name that an operating system acts on by itself. The subject is the name.
    Autorun = "autorun",
}

/// Where in the file something was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The file as a whole.
    File,
    /// At this offset in bytes.
    Offset(u64),
    /// At this key; in JSON, a pointer (RFC 6901).
    Key(String),
    /// At the tensor of this name.
    Tensor(String),
    /// At the node, layer or object of this name.
    Node(String),
    /// Inside the archive's member of this name.
    Member(String, Box<Place>),
}

impl Place {
    /// The same place inside the archive's member `name`.
    pub(crate) fn within(self, name: &str) -> Place {
        Place::Member(shown(name), Box::new(self))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File => out.write_str("the file"),
            Place::Offset(at) => write!(out, "offset {at}"),
            Place::Key(key) => write!(out, "key {key:?}"),
            Place::Tensor(name) => write!(out, "tensor {name:?}"),
            Place::Node(name) => write!(out, "node {name:?}"),
            Place::Member(name, place) if **place == Place::File => write!(out, "member {name:?}"),
            Place::Member(name, place) => write!(out, "member {name:?}, {place}"),
        }
    }
}

/// One finding. Names out of the file are shortened before they are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// What an allow-list would have to name; see [`Kind`].
    pub subject: String,
    /// Where it was found first.
    pub place: Place,
    /// What was found, as the end of a sentence: "imports os.system".
    pub detail: String,
}

/// Something that a file says about other files of its model, to be checked when all are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The file holds these tensors.
    Holds {
        /// Their names.
        tensors: Box<Names>,
        /// Bytes of all of them.
        bytes: u64,
    },
    /// The file is an index, and says that `file`, beside it, holds these tensors and no others.
    Indexes {
        /// The other file's name as written.
        file: String,
        /// The names of the tensors.
        tensors: Box<Names>,
        /// The first of them, shortened.
        first: String,
    },
    /// The file is an index, and says how many bytes all tensors have that it lists.
    Total(u64),
    /// The weights of `tensor` lie in another file.
    External {
        /// The tensor.
        tensor: String,
        /// The other file's path as written, relative to the folder of this file.
        location: String,
        /// Where the weights start, in bytes.
        offset: u64,
        /// How many bytes; to the end where it is not said.
        length: Option<u64>,
    },
}

impl Link {
    /// Bytes that it takes, about: whoever collects the links of many files has to bound them.
    pub fn weight(&self) -> usize {
        let held = match self {
            Link::Holds { .. } => size_of::<Names>(),
            Link::Indexes { file, first, .. } => {
                size_of::<Names>().saturating_add(file.len()).saturating_add(first.len())
            }
            Link::Total(_) => 0,
            Link::External { tensor, location, .. } => tensor.len().saturating_add(location.len()),
        };
        size_of::<Link>().saturating_add(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_well() {
        let place = Place::Offset(7).within("archive/data.pkl").within("inner.zip");
        assert_eq!(place.to_string(), r#"member "inner.zip", member "archive/data.pkl", offset 7"#);
        assert_eq!(Place::File.within("a").to_string(), r#"member "a""#);
    }
}
