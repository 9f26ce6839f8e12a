//! What the walk over a graph looks at: operators, functions, constants, assets and objects.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use prost::Message as _;

use crate::budget::Budget;
use crate::contents;
use crate::finding::{Kind, Link, Place};
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::notes::Notes;
use crate::protobuf::{Message, Visit};
use crate::tensorflow::proto::{
    Any, AssetFile, Function, Gradient, MetaGraph, MetaInfo, Named, Node, SavedModel, SavedObject,
    Tensor,
};
use crate::tensorflow::tensor;

/// The only version of `saved_model_schema_version` that there has been.
const SCHEMA: i64 = 1;

/// The folder of assets, beside the file of the graph.
const ASSETS: &str = "assets";

/// Looks at the messages of a model.
pub(super) struct Visitor<'n> {
    notes: &'n mut Notes,
    budget: &'n Budget,
    /// Operators and called functions of the graph that the walk is in, each with its first node.
    used: BTreeMap<String, Place>,
    /// The functions that the graph's library defines.
    functions: BTreeSet<String>,
    /// The operators that were shown.
    shown: BTreeSet<String>,
    /// Where the settings of Keras objects stand: offset and length.
    pub(super) settings: Vec<(u64, u64)>,
    /// Bytes of the names that were kept.
    names: usize,
}

impl<'n> Visitor<'n> {
    pub(super) fn new(notes: &'n mut Notes, budget: &'n Budget) -> Self {
        Visitor {
            notes,
            budget,
            used: BTreeMap::new(),
            functions: BTreeSet::new(),
            shown: BTreeSet::new(),
            settings: Vec::new(),
            names: 0,
        }
    }
}

impl Visit for Visitor<'_> {
    fn enter(&mut self, _name: &'static str) -> Result<(), Fault> {
        Ok(())
    }

    fn passed(&mut self, name: &'static str, field: &'static str, at: u64, length: u64) {
        if (name, field) == ("SavedUserObject", "metadata") && length > 0 {
            self.settings.push((at, length));
        }
    }

    fn leave(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        match message.name {
            "NodeDef" => self.node(message)?,
            "NameAttrList" => {
                let Named { name } = message.decode()?;
                self.calls(name, message)?;
            }
            "GradientDef" => {
                let Gradient { gradient_func } = message.decode()?;
                self.calls(gradient_func, message)?;
            }
            "RegisteredGradient" => {
                let Named { name } = message.decode()?;
                self.calls(name, message)?;
            }
            "FunctionDef" => self.function(message)?,
            "TensorProto" => {
                let tensor: Tensor = message.decode()?;
                tensor::check(&tensor).map_err(|detail| message.broken(&detail))?;
            }
            // Both name things in the memory of a process, or hold what only its kernels can decode.
            "ResourceHandleProto" | "VariantTensorDataProto" => {
                return Err(message.broken("a constant holds what no file can hold"));
            }
            "AssetFileDef" => {
                let AssetFile { filename } = message.decode()?;
                self.asset(filename)?;
            }
            "Any" => self.any(message)?,
            "SavedObject" => self.object(message)?,
            "SavedUserObject" => {
                let Named { name } = message.decode()?;
                if self.shown.insert(name.clone()) {
                    self.keep(&name)?;
                    self.notes.show(|contents| contents.classes.push(name));
                }
            }
            "MetaGraphDef.MetaInfoDef" => {
                let MetaInfo { tags, tensorflow_version } = message.decode()?;
                self.show("tags", tags.join(", "));
                self.show("tensorflow_version", tensorflow_version.unwrap_or_default());
            }
            "GraphDef" => self.graph(),
            "MetaGraphDef" => {
                let MetaGraph { graph_def } = message.decode()?;
                if graph_def.is_none() {
                    return Err(message.broken("it has no graph"));
                }
            }
            "SavedModel" => {
                let SavedModel { schema_version, meta_graphs } = message.decode()?;
                if schema_version != Some(SCHEMA) || meta_graphs.is_none() {
                    return Err(message.broken("its version is unknown, or it has no graphs"));
                }
                // What is called outside of all graphs.
                self.graph();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Visitor<'_> {
    /// Counts a name that is kept.
    fn keep(&mut self, name: &str) -> Result<(), Fault> {
        // What a map needs besides the name counts as well.
        self.names = self.names.saturating_add(name.len()).saturating_add(64);
        let limit = self.budget.graph_names;
        if self.names > limit {
            let detail = format!("its different names have more than {limit} bytes");
            return Err(broken(Place::File, detail));
        }
        Ok(())
    }

    /// Counts the name of something that is reported.
    fn report(&mut self, name: &str) -> Result<(), Fault> {
        let limit = self.budget.operator_bytes;
        if name.len() > limit {
            return Err(Malformed::NameTooLong { limit }.into());
        }
        self.keep(name)
    }

    fn show(&mut self, key: &str, value: String) {
        let (key, value) = (key.to_owned(), shown(&value));
        self.notes.show(|contents| contents.metadata.push(contents::Entry { key, value }));
    }

    fn node(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let Node { name, op, attr } = message.decode()?;
        if op.is_empty() {
            return Err(message.broken("it has no operator"));
        }
        let mut known = HashSet::new();
        for Named { name } in &attr {
            if !known.insert(name.as_str()) {
                let detail = format!("its attribute {:?} occurs twice", shown(name));
                return Err(message.broken(&detail));
            }
        }
        if !self.used.contains_key(&op) {
            self.report(&op)?;
            self.used.insert(op, Place::Node(shown(&name)));
        }
        Ok(())
    }

    /// An attribute or a gradient names what is called.
    fn calls(&mut self, name: String, message: &Message<'_>) -> Result<(), Fault> {
        if !name.is_empty() && !self.used.contains_key(&name) {
            self.report(&name)?;
            self.used.insert(name, Place::Offset(message.at));
        }
        Ok(())
    }

    fn function(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let Function { signature } = message.decode()?;
        let name = signature.map(|signature| signature.name).unwrap_or_default();
        if name.is_empty() {
            return Err(message.broken("it has no name"));
        }
        self.keep(&name)?;
        let detail = format!("the function {:?} is defined twice", shown(&name));
        if !self.functions.insert(name) {
            return Err(message.broken(&detail));
        }
        Ok(())
    }

    /// The file has to be in the model's own folder of assets.
    fn asset(&mut self, filename: String) -> Result<(), Fault> {
        self.keep(&filename)?;
        let location = format!("{ASSETS}/{filename}");
        let link = Link::External { tensor: filename, location, offset: 0, length: None };
        self.notes.link(link);
        Ok(())
    }

    /// Collections of TensorFlow 1 hold messages by their type. Loaders read assets from there, too.
    fn any(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let Any { type_url, value } = message.decode()?;
        if type_url.rsplit('/').next() != Some("tensorflow.AssetFileDef") {
            return Ok(());
        }
        let asset = AssetFile::decode(value.as_slice());
        let AssetFile { filename } = asset.map_err(|_| message.broken("it is no asset"))?;
        self.asset(filename)
    }

    /// A registered class is built by code that its name looks up.
    fn object(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let SavedObject { registered_name, registered_saver } = message.decode()?;
        for name in [registered_name, registered_saver] {
            if !name.is_empty() {
                self.report(&name)?;
                let detail = "is registered to build an object".to_owned();
                self.notes.add(Kind::Class, &name, Place::Offset(message.at), detail);
            }
        }
        Ok(())
    }

    /// A graph ends: its functions are known.
    fn graph(&mut self) {
        let functions = std::mem::take(&mut self.functions);
        for (name, place) in std::mem::take(&mut self.used) {
            if functions.contains(&name) && !like_operator(&name) {
                continue;
            }
            if self.shown.insert(name.clone()) {
                let name = name.clone();
                self.notes.show(|contents| contents.operators.push(name));
            }
            let detail = format!("uses the operator {:?}", shown(&name));
            self.notes.add(Kind::Operator, &name, place, detail);
        }
    }
}

/// Whether a runtime may have an operator of this name, which would be taken instead of the function.
fn like_operator(name: &str) -> bool {
    let name = name.strip_prefix('_').unwrap_or(name);
    name.starts_with(|first: char| first.is_ascii_uppercase()) || name.contains('>')
}
