//! What the walk over a model looks at: domains and functions, attributes, tensors.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::budget::Budget;
use crate::contents;
use crate::finding::{Kind, Link, Place};
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::notes::Notes;
use crate::onnx::calls::{Calls, Counts};
use crate::onnx::proto::{
    Attribute, ElementType, Entry, Function, Model, Node, Opaque, OperatorSet, Sparse, Tensor,
};
use crate::onnx::tensor;
use crate::protobuf::{Message, Visit};

/// The domain that is meant where none is named.
const DEFAULT: &str = "ai.onnx";

/// Domains whose operators runtimes bring along: a function of the model that takes one of their names
/// may be passed over for the runtime's own operator.
const RUNTIMES: &[&str] =
    &["ai.onnx", "com.microsoft", "com.ms", "com.nvidia", "org.pytorch", "trt"];

/// The newest version of the intermediate representation that is known.
const NEWEST: i64 = 14;

/// Tensors that are shown.
const MOST_SHOWN: usize = 16_384;

/// An operator: domain and name.
pub(super) type Operator = (String, String);

/// Looks at the messages of a model.
pub(super) struct Visitor<'n> {
    notes: &'n mut Notes,
    budget: &'n Budget,
    /// The operators that the model's own graphs (first) and the function that the walk is in use,
    /// each with its first node.
    scopes: Vec<BTreeMap<Operator, (Place, u64)>>,
    /// The operators that functions use.
    nested: BTreeMap<Operator, Place>,
    /// The names of the initializers of the graphs that the walk is in.
    graphs: Vec<HashSet<String>>,
    /// What functions use.
    calls: Calls,
    /// The functions that the model defines, with their overloads.
    functions: BTreeSet<(Operator, String)>,
    /// Domains that functions import.
    imported: BTreeSet<String>,
    /// Domains of types that only a runtime knows.
    opaque: BTreeSet<String>,
    /// Keys of the model's metadata.
    keys: HashSet<String>,
    /// Bytes of the names that were kept.
    names: usize,
    shown: usize,
}

impl<'n> Visitor<'n> {
    pub(super) fn new(notes: &'n mut Notes, budget: &'n Budget) -> Self {
        Visitor {
            notes,
            budget,
            scopes: vec![BTreeMap::new()],
            nested: BTreeMap::new(),
            graphs: Vec::new(),
            calls: Calls::default(),
            functions: BTreeSet::new(),
            imported: BTreeSet::new(),
            opaque: BTreeSet::new(),
            keys: HashSet::new(),
            names: 0,
            shown: 0,
        }
    }
}

impl Visit for Visitor<'_> {
    fn enter(&mut self, name: &'static str) -> Result<(), Fault> {
        match name {
            "GraphProto" => self.graphs.push(HashSet::new()),
            "FunctionProto" => self.scopes.push(BTreeMap::new()),
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        match message.name {
            "GraphProto" => _ = self.graphs.pop(),
            "NodeProto" => self.node(message)?,
            "AttributeProto" => self.attribute(message)?,
            "TensorProto" => self.tensor(message)?,
            "SparseTensorProto" => self.sparse(message)?,
            "FunctionProto" => self.function(message)?,
            "TypeProto.Tensor" | "TypeProto.Map" => {
                let ElementType { element } = message.decode()?;
                if !tensor::is_type(element) {
                    return Err(message.broken("its element type is unknown"));
                }
            }
            "TypeProto.Opaque" => {
                let Opaque { domain } = message.decode()?;
                let domain = normal(domain.as_deref());
                self.report(&domain)?;
                self.opaque.insert(domain);
            }
            "StringStringEntryProto" if message.parent == "ModelProto" => self.metadata(message)?,
            "ModelProto" => self.model(message)?,
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

    fn node(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let Node { name, op_type, attribute, domain } = message.decode()?;
        let op_type = op_type.unwrap_or_default();
        if op_type.is_empty() {
            return Err(message.broken("it has no operator"));
        }
        let mut known = HashSet::new();
        for attribute in &attribute {
            let name = attribute.name.as_deref().unwrap_or_default();
            if !known.insert(name) {
                let detail = format!("its attribute {:?} occurs twice", shown(name));
                return Err(message.broken(&detail));
            }
        }
        let operator = (normal(domain.as_deref()), op_type);
        if let Some((_, count)) = self.scopes.last_mut().and_then(|used| used.get_mut(&operator)) {
            *count = count.saturating_add(1);
            return Ok(());
        }
        self.report(&operator.0)?;
        self.report(&operator.1)?;
        let place = match name.filter(|name| !name.is_empty()) {
            Some(name) => Place::Node(shown(&name)),
            None => Place::Offset(message.at),
        };
        if let Some(used) = self.scopes.last_mut() {
            used.insert(operator, (place, 1));
        }
        Ok(())
    }

    fn attribute(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let attribute: Attribute = message.decode()?;
        let name = attribute.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return Err(message.broken("it has no name"));
        }
        // The number of the type that each field is for.
        let fields = [
            (1, attribute.f),
            (2, attribute.i),
            (3, attribute.s),
            (4, attribute.t),
            (5, attribute.g),
            (6, attribute.floats),
            (7, attribute.ints),
            (8, attribute.strings),
            (9, attribute.tensors),
            (10, attribute.graphs),
            (11, attribute.sparse_tensor),
            (12, attribute.sparse_tensors),
            (13, attribute.tp),
            (14, attribute.type_protos),
        ];
        let kind = attribute.kind.unwrap_or(0);
        if !(1..=14).contains(&kind) {
            return Err(message.broken(&format!("the type {kind} of {:?} is unknown", shown(name))));
        }
        let present = |kind: i64| fields.iter().any(|&(of, size)| of == kind && size.is_some());
        let refers = attribute.ref_attr_name.as_deref().is_some_and(|name| !name.is_empty());
        let other = fields.iter().any(|&(of, size)| size.is_some() && (of != kind || refers));
        if other {
            let detail = format!("{:?} holds another value than its type says", shown(name));
            return Err(message.broken(&detail));
        }
        if refers && self.scopes.len() < 2 {
            let detail = format!("{:?} refers to a function's, and there is none", shown(name));
            return Err(message.broken(&detail));
        }
        if matches!(kind, 4 | 5 | 11 | 13) && !refers && !present(kind) {
            return Err(message.broken(&format!("{:?} has no value", shown(name))));
        }
        Ok(())
    }

    fn tensor(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let tensor: Tensor = message.decode()?;
        let name = tensor.name.as_deref().unwrap_or_default();
        let place = match name {
            "" => Place::Offset(message.at),
            name => Place::Tensor(shown(name)),
        };
        let sound = tensor::check(&tensor).map_err(|detail| broken(place.clone(), detail))?;
        if message.field == "initializer" {
            self.initializer(name, &place)?;
        }
        if let Some(external) = sound.external {
            self.keep(&external.location)?;
            self.keep(name)?;
            self.notes.link(Link::External {
                tensor: name.to_owned(),
                location: external.location,
                offset: external.offset,
                length: Some(external.length),
            });
        }
        if self.shown < MOST_SHOWN && self.notes.shows() {
            self.shown = self.shown.saturating_add(1);
            let dtype = sound.dtype.to_owned();
            let (name, shape, bytes) = (shown(name), sound.shape, sound.bytes);
            let tensor = contents::Tensor { name, dtype, shape, bytes };
            self.notes.show(|contents| contents.tensors.push(tensor));
        }
        Ok(())
    }

    /// Runtimes differ in which of two initializers of one name they take.
    fn initializer(&mut self, name: &str, place: &Place) -> Result<(), Fault> {
        if name.is_empty() {
            return Err(broken(place.clone(), "an initializer has no name"));
        }
        self.keep(name)?;
        let graph = self.graphs.last_mut();
        if graph.is_some_and(|graph| !graph.insert(name.to_owned())) {
            return Err(broken(place.clone(), "two initializers of its graph have this name"));
        }
        Ok(())
    }

    fn sparse(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let sparse: Sparse = message.decode()?;
        tensor::check_sparse(&sparse).map_err(|detail| message.broken(&detail))?;
        if message.field == "sparse_initializer" {
            let name = sparse.values.and_then(|values| values.name).unwrap_or_default();
            self.initializer(&name, &Place::Offset(message.at))?;
        }
        Ok(())
    }

    fn function(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let Function { name, domain, overload, opset_import } = message.decode()?;
        let name = name.unwrap_or_default();
        if name.is_empty() {
            return Err(message.broken("it has no name"));
        }
        let imported = self.import(message, &opset_import)?;
        let mut used = Counts::new();
        for (operator, (place, count)) in self.scopes.pop().unwrap_or_default() {
            unimported(&imported, &operator, &place)?;
            used.insert(operator.clone(), count);
            self.nested.entry(operator).or_insert(place);
        }
        self.imported.extend(imported);
        let (domain, overload) = (normal(domain.as_deref()), overload.unwrap_or_default());
        for name in [&name, &domain, &overload] {
            self.keep(name)?;
        }
        self.calls.add((domain.clone(), name.clone()), used);
        let detail = format!("the function {:?} is defined twice", shown(&name));
        if !self.functions.insert(((domain, name), overload)) {
            return Err(message.broken(&detail));
        }
        Ok(())
    }

    /// The domains of operator sets. One that is there twice, with two versions, is two.
    fn import(
        &mut self,
        message: &Message<'_>,
        sets: &[OperatorSet],
    ) -> Result<BTreeSet<String>, Fault> {
        let mut versions = BTreeMap::new();
        for set in sets {
            let domain = normal(set.domain.as_deref());
            let version = set.version.unwrap_or(0);
            if !(1..=i64::from(i32::MAX)).contains(&version) {
                return Err(message.broken(&format!("it imports version {version} of operators")));
            }
            self.report(&domain)?;
            if versions.insert(domain, version).is_some_and(|other| other != version) {
                return Err(message.broken("it imports two versions of the same operators"));
            }
        }
        Ok(versions.into_keys().collect())
    }

    fn metadata(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let Entry { key, value } = message.decode()?;
        let key = key.unwrap_or_default();
        self.keep(&key)?;
        if !self.keys.insert(key.clone()) {
            let detail = format!("the key {:?} of the metadata occurs twice", shown(&key));
            return Err(message.broken(&detail));
        }
        self.show(shown(&key), value);
        Ok(())
    }

    fn show(&mut self, key: String, value: Option<String>) {
        let value = value.unwrap_or_default();
        self.notes.show(|contents| contents.metadata.push(contents::Entry { key, value }));
    }

    /// The model ends: all domains are known.
    fn model(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let model: Model = message.decode()?;
        let version = model.ir_version.unwrap_or(0);
        if !(1..=NEWEST).contains(&version) {
            return Err(message.broken(&format!("its IR version is {version}")));
        }
        if model.graph.is_none() {
            return Err(message.broken("it has no graph"));
        }
        self.show("producer_name".to_owned(), model.producer_name);
        self.show("producer_version".to_owned(), model.producer_version);
        let imported = self.import(message, &model.opset_import)?;
        let (mut used, mut counts) = (BTreeMap::new(), Counts::new());
        for (operator, (place, count)) in self.scopes.pop().unwrap_or_default() {
            unimported(&imported, &operator, &place)?;
            counts.insert(operator.clone(), count);
            used.insert(operator, place);
        }
        used.append(&mut self.nested);
        match self.calls.laid_out(&counts) {
            Ok(nodes) if nodes > self.budget.onnx_nodes => {
                let detail = format!("its functions lay out {nodes} nodes");
                return Err(message.broken(&detail));
            }
            Ok(_) => {}
            Err((_, name)) => {
                let name = shown(&name);
                let detail = format!("the function {name:?} calls itself, or one that does");
                return Err(message.broken(&detail));
            }
        }
        let defined: BTreeSet<Operator> =
            self.functions.iter().map(|(operator, _)| operator.clone()).collect();
        for ((domain, name), place) in used {
            let text = format!("{domain}::{name}");
            self.notes.show(|contents| contents.operators.push(text));
            if !defined.contains(&(domain.clone(), name.clone())) || of_runtime(&domain) {
                let detail =
                    format!("uses the operator {:?} of the domain {domain:?}", shown(&name));
                self.notes.add(Kind::OperatorDomain, &domain, place, detail);
            }
        }
        let mut others = std::mem::take(&mut self.imported);
        others.extend(imported);
        others.retain(|domain| {
            of_runtime(domain) || !defined.iter().any(|(defined, _)| defined == domain)
        });
        others.append(&mut self.opaque);
        for domain in others {
            let place = Place::Key("opset_import".to_owned());
            let detail = format!("needs the domain {:?}", shown(&domain));
            self.notes.add(Kind::OperatorDomain, &domain, place, detail);
        }
        Ok(())
    }
}

/// A domain under one name.
fn normal(domain: Option<&str>) -> String {
    match domain {
        None | Some("") => DEFAULT.to_owned(),
        Some(domain) => domain.to_owned(),
    }
}

/// Whether a runtime may have operators of its own in this domain.
fn of_runtime(domain: &str) -> bool {
    RUNTIMES.iter().any(|runtime| {
        domain.strip_prefix(runtime).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Refuses an operator of a domain that is not imported.
fn unimported(
    imported: &BTreeSet<String>,
    (domain, name): &Operator,
    place: &Place,
) -> Result<(), Fault> {
    if imported.contains(domain) {
        return Ok(());
    }
    let (domain, name) = (shown(domain), shown(name));
    let detail = format!("it uses {name:?} of {domain:?}, and no such operators are imported");
    Err(broken(place.clone(), detail))
}
