//! What in a JSON file makes a loader run code: code that comes with the model, that lies elsewhere,
//! or that the file picks by its name among all that is installed.
//!
//! `architectures`, `tokenizer_class`, `library_name` and `quant_method` are not here: loaders look
//! them up in tables of their own. `base_model_name_or_path` leads to another model, which is
//! verified like this one.

use std::borrow::Cow;

/// As much of a value as the keys below ask about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `false` or `null`.
    Nothing,
    /// A string, where the key asks for it; cut to a length that no name has.
    Text(String),
    /// The strings of an array, where the key asks for them, and how many items there are.
    List(Vec<String>, usize),
    Other,
}

/// One thing that a loader would run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The key, or the name of what would be run.
    pub(super) subject: String,
    pub(super) detail: String,
}

impl Asked {
    fn to_run(name: &str, what: &str) -> Option<Self> {
        Some(Asked { subject: name.to_owned(), detail: format!("{what} {name:?}") })
    }

    fn by_key(key: &str) -> Option<Self> {
        let detail = format!("{key} asks the loader to run code");
        Some(Asked { subject: key.to_owned(), detail })
    }
}

/// Keys whose string values decide.
const NAMING: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_internal",
    "_class_name",
    "_experts_implementation",
    "_experts_implementation_internal",
    "_target_",
    "activation_fn",
    "activation_function",
    "attn_implementation",
    "class_name",
    "experts_implementation",
    "megatron_core",
    "parent_library",
    "path",
    "sbert_ce_default_activation_function",
    "type",
];

/// Python modules out of which `model_index.json` of diffusers may name classes: the libraries, and
/// the folders of `diffusers.pipelines` that hold classes of their own. Any other name is imported, or
/// is a file `NAME.py` beside the component.
const LIBRARIES: &[&str] = &[
    "alt_diffusion",
    "audioldm",
    "audioldm2",
    "blip_diffusion",
    "deepfloyd_if",
    "diffusers",
    "flux",
    "hunyuandit",
    "kandinsky",
    "kolors",
    "latent_diffusion",
    "ltx",
    "onnxruntime",
    "optimum",
    "paint_by_example",
    "sana",
    "semantic_stable_diffusion",
    "shap_e",
    "stable_audio",
    "stable_cascade",
    "stable_diffusion",
    "stable_diffusion_safe",
    "stable_diffusion_xl",
    "tokenizers",
    "transformers",
    "unclip",
    "unidiffuser",
    "versatile_diffusion",
    "wuerstchen",
];

/// Whether the value of `key` is asked about. `parent` is the key of the object that `key` is in.
pub(super) fn wants(key: &str, parent: Option<&str>, top: bool) -> bool {
    top || NAMING.contains(&key) || parent == Some("types")
}

/// What `key` with `value` makes a loader run. `parent` is the key of the object that `key` is in.
pub(super) fn asked(key: &str, parent: Option<&str>, value: &Value) -> Option<Asked> {
    let given = *value != Value::Nothing;
    match (key, value) {
        // transformers: Python files beside the model, or in another repository.
        ("auto_map" | "custom_pipelines" | "trust_remote_code", _) if given => Asked::by_key(key),
        // transformers: compiled kernels from a repository, in place of layers.
        ("use_kernels" | "kernel_config" | "kernel_mapping", _) if given => Asked::by_key(key),
        (
            "attn_implementation"
            | "_attn_implementation"
            | "_attn_implementation_internal"
            | "experts_implementation"
            | "_experts_implementation"
            | "_experts_implementation_internal",
            Value::Text(name),
        ) if name.contains('/') => Asked::to_run(name, "has kernels loaded from"),
        // One for each part of the model.
        (
            "attn_implementation" | "_attn_implementation" | "_attn_implementation_internal",
            Value::List(names, _),
        ) => {
            let name = names.iter().find(|name| name.contains('/'))?;
            Asked::to_run(name, "has kernels loaded from")
        }
        // peft imports these modules.
        ("parent_library", Value::Text(name)) if !within(name, &["transformers"]) => {
            Asked::to_run(name, "has the module imported")
        }
        ("megatron_core", Value::Text(name)) if !within(name, &["megatron.core"]) => {
            Asked::to_run(name, "has the module imported")
        }
        // Hydra, and what NeMo builds with it, calls anything.
        ("_target_", _) if given => {
            let name = match value {
                Value::Text(name) => Cow::Borrowed(name.as_str()),
                _ => Cow::Borrowed(key),
            };
            Asked::to_run(&name, "has called")
        }
        // sentence-transformers imports the name and calls it.
        (
            "activation_function" | "activation_fn" | "sbert_ce_default_activation_function",
            Value::Text(name),
        ) if name.contains('.') && !within(name, &["torch.nn", "transformers.activations"]) => {
            Asked::to_run(name, "has called")
        }
        (_, Value::Text(name))
            if parent == Some("types") && is_class(name) && !within(name, SENTENCES) =>
        {
            Asked::to_run(name, "is built from")
        }
        // Keras: Python bytecode in the file.
        ("class_name", Value::Text(name)) if name == "Lambda" || name == "__lambda__" => {
            Asked::to_run(name, "holds bytecode in a")
        }
        // diffusers: the pipeline's own file.
        ("_class_name", Value::List(..)) => Asked::by_key(key),
        // jsonpickle.
        (
            "py/object" | "py/type" | "py/function" | "py/reduce" | "py/newargs" | "py/newargsex"
            | "py/newobj" | "py/class" | "py/mod" | "py/repr",
            _,
        ) => Asked::by_key(key),
        _ => None,
    }
}

const SENTENCES: &[&str] = &["sentence_transformers"];

/// What the entries of one object say together.
#[derive(Default)]
pub(super) struct Together {
    kind: Option<String>,
    has_path: bool,
    pipeline: Option<bool>,
    /// Keys with two strings, or one and `null`.
    pairs: Vec<(String, Vec<String>)>,
}

/// Pairs of one object that are kept: a pipeline has some ten components.
const PAIRS: usize = 256;

impl Together {
    /// Takes the next entry.
    pub(super) fn take(&mut self, key: &str, value: Value) {
        match (key, value) {
            ("type", Value::Text(name)) => self.kind = Some(name),
            ("path", Value::Text(_)) => self.has_path = true,
            ("_class_name", Value::Text(name)) => self.pipeline = Some(name.contains("Pipeline")),
            ("_class_name", _) => self.pipeline = Some(true),
            (key, Value::List(pair, 2 | 3)) if !pair.is_empty() && self.pairs.len() < PAIRS => {
                self.pairs.push((key.to_owned(), pair));
            }
            _ => {}
        }
    }

    /// What the whole object makes a loader run. `listed` is an object in an array at the top.
    pub(super) fn asked(self, listed: bool) -> Vec<Asked> {
        let mut asked = Vec::new();
        // modules.json of sentence-transformers, which imports every type.
        if let Some(name) = self.kind.filter(|name| name.contains('.') && !within(name, SENTENCES))
            && self.has_path
            && listed
        {
            asked.extend(Asked::to_run(&name, "is built from"));
        }
        // model_index.json of diffusers. Other objects with a class name have lists of block types.
        for (key, pair) in self.pairs {
            let (Some(pipeline), [library, class, ..]) = (self.pipeline, pair.as_slice()) else {
                continue;
            };
            let names = pipeline
                || starts(library, char::is_lowercase) && starts(class, char::is_uppercase);
            let root = library.split('.').next().unwrap_or_default();
            if names && !LIBRARIES.contains(&root) {
                let detail =
                    format!("has the component {key:?} loaded from the module {library:?}");
                asked.push(Asked { subject: library.clone(), detail });
            }
        }
        asked
    }
}

fn starts(name: &str, with: impl Fn(char) -> bool) -> bool {
    name.chars().next().is_some_and(with)
}

/// Whether `name` is one of the packages, or below one.
fn within(name: &str, packages: &[&str]) -> bool {
    packages.iter().any(|package| {
        name.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Whether `name` is that of a class in a module, as Python writes it.
fn is_class(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.chars().all(|one| one.is_alphanumeric() || one == '_')
    };
    name.rsplit_once('.').is_some_and(|(module, class)| {
        module.split('.').all(word) && word(class) && starts(class, char::is_uppercase)
    })
}
