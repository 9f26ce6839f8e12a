//! The formats that a policy can name.

macro_rules! formats {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A format as the policy names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Format {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Format {
            /// All formats.
            pub const ALL: &[Format] = &[$(Format::$variant,)+];

            /// The name in policies and verdicts.
            pub fn name(self) -> &'static str {
                match self { $(Format::$variant => $name,)+ }
            }
        }
    };
}

formats! {
    /// Tensors with a JSON header, and nothing that runs.
    Safetensors = "safetensors",
    /// The format of llama.cpp.
    Gguf = "gguf",
    /// One JSON object or array.
    Json = "json",
    /// A Jupyter notebook: JSON that holds code and what it showed.
    Notebook = "notebook",
    /// UTF-8 without control characters.
    Text = "text",
    /// A SentencePiece model. A `tokenizer.json` is JSON, and a list of merges is text.
    Tokenizer = "tokenizer",
    /// A zip that is none of the formats below.
    Zip = "zip",
    /// Weights as PyTorch saves them: a zip of a pickle and raw storages.
    Pytorch = "pytorch",
    /// A program as PyTorch saves it: a zip of pickles, code and raw storages.
    Torchscript = "torchscript",
    /// A zip of NumPy arrays.
    Npz = "npz",
    /// A model as Keras saves it: a zip of its configuration and its weights.
    Keras = "keras",
    /// A Python pickle of any protocol.
    Pickle = "pickle",
    /// A pickle of joblib, with arrays in it.
    Joblib = "joblib",
    /// What PyTorch saved before it saved zips: pickles and storages.
    TorchLegacy = "torch-legacy",
    /// An ONNX model.
    Onnx = "onnx",
    /// A TensorFlow SavedModel: its graphs, in `saved_model.pb`.
    SavedModel = "savedmodel",
    /// A TensorFlow graph alone.
    GraphDef = "graphdef",
    /// A TensorFlow Lite model.
    Tflite = "tflite",
    /// HDF5, which is also what Keras saves.
    Hdf5 = "hdf5",
    /// One NumPy array.
    Numpy = "numpy",
    /// A program or library for Linux and others.
    Elf = "elf",
    /// A program or library for Windows or DOS.
    Pe = "pe",
    /// A program or library for macOS.
    MachO = "macho",
    /// A Java class, or a program for Android (DEX).
    Java = "java",
    /// A WebAssembly module.
    Wasm = "wasm",
    /// LLVM's intermediate code.
    Bitcode = "bitcode",
    /// Text that names its interpreter, or PHP.
    Script = "script",
    /// What Python compiles its modules to.
    Bytecode = "bytecode",
    /// A Windows shortcut, which names a program.
    Shortcut = "shortcut",
    /// An archive other than zip, a compressed file, a package or the image of a disk.
    Archive = "archive",
    /// A document of an office program, also an installer of Windows: OLE2, OOXML, RTF.
    Document = "document",
    /// A PDF document.
    Pdf = "pdf",
    /// A page for browsers.
    Html = "html",
    /// A drawing for browsers, in XML.
    Svg = "svg",
    /// WAV, MP3 with its tag, FLAC or Ogg.
    Audio = "audio",
    /// PNG, JPEG, GIF or WebP.
    Image = "image",
    /// A file without a byte.
    Empty = "empty",
}

impl Format {
    /// The format of that name, if there is one. Names are matched exactly.
    pub fn from_name(name: &str) -> Option<Format> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }
}

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// One format claims it and no other does.
    One(Format),
    /// No format claims it.
    Unknown,
    /// Two or more formats claim it: two readers would see two different files.
    Ambiguous(Vec<Format>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for &format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(format));
        }
        assert_eq!(Format::from_name("Safetensors"), None);
    }
}
