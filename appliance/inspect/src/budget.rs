//! The limits of an inspection, all in one table.

/// How much work and memory one file may cost. A file past a limit is reported as malformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of a safetensors header.
    pub safetensors_header: u64,
    /// Tensors in a safetensors header.
    pub safetensors_tensors: usize,
    /// Entries of `__metadata__` in a safetensors header.
    pub safetensors_metadata: usize,
    /// Bytes of one string or number in a safetensors header or an index, as it is written.
    pub json_token: usize,
    /// Tensors that the index of a model lists.
    pub index_tensors: usize,
    /// Files that the index of a model names.
    pub index_files: usize,
    /// Bytes of a JSON file.
    pub json_bytes: u64,
    /// Nesting of objects and arrays in a JSON file. More than 120 counts as 120.
    pub json_depth: usize,
    /// Keys in a JSON file, over all its objects.
    pub json_keys: usize,
    /// Bytes of one name: a JSON key, a tensor, a GGUF key.
    pub name_bytes: usize,
    /// Bytes of a text file.
    pub text_bytes: u64,
    /// Key-value pairs of a GGUF file.
    pub gguf_pairs: u64,
    /// Tensors of a GGUF file.
    pub gguf_tensors: u64,
    /// Strings in all arrays of a GGUF file together.
    pub gguf_strings: u64,
    /// Bytes of all templates of a GGUF file together.
    pub gguf_templates: u64,
    /// Bytes of all keys and tensor names of a GGUF file together.
    pub gguf_names: u64,
    /// Bytes of a map of characters of a tokenizer model.
    pub tokenizer_characters: u64,
    /// Pieces of a tokenizer model.
    pub tokenizer_pieces: u64,
    /// Opcodes of a pickle stream.
    pub pickle_opcodes: u64,
    /// Marks that are open at once in a pickle stream.
    pub pickle_marks: usize,
    /// Values on the stack of a pickle at once.
    pub pickle_values: usize,
    /// Entries of a pickle's memo.
    pub pickle_memo: usize,
    /// Bytes that are kept of a pickle's names, tuples and tensors at once.
    pub pickle_kept: usize,
    /// Storages that a pickle of PyTorch names.
    pub pickle_storages: usize,
    /// Pickles that are read behind the first of a file.
    pub pickle_streams: usize,
    /// Bytes of the header of a NumPy array.
    pub numpy_header: u64,
    /// Fields at the top of an ONNX model.
    pub onnx_fields: u64,
    /// Nodes of an ONNX model when its functions stand in the place of their calls.
    pub onnx_nodes: u64,
    /// Entries of the directory of a compound file.
    pub document_entries: u64,
    /// Bytes of the central directory of a zip.
    pub zip_directory: u64,
    /// Entries of a zip.
    pub zip_entries: u64,
    /// Bytes of all names in a zip together.
    pub zip_names: usize,
    /// Bytes that a compressed member of a zip may unpack to whatever it takes; all members together may
    /// unpack to four times as many.
    pub zip_free: u64,
    /// Bytes that a larger member, and all members together, may unpack to for each byte that they take.
    pub zip_ratio: u64,
    /// Bytes of a compressed member that is held in memory when it is read; of one that is larger, no
    /// more than a window is held.
    pub zip_held: u64,
    /// Bytes that may be unpacked of a compressed member which is not held in memory, for each that it
    /// has: readers go back to its start.
    pub zip_passes: u64,
    /// Archives that may lie in one another, the file itself counted.
    pub archive_depth: usize,
    /// Fields of an ONNX or TensorFlow model, over all its messages.
    pub graph_fields: u64,
    /// Messages of an ONNX or TensorFlow model inside one another; a graph in a node of a graph is
    /// three of them. More than 96 counts as 96.
    pub graph_depth: usize,
    /// Bytes of the names and numbers of one message of such a model.
    pub graph_message: usize,
    /// Bytes of all names that are kept while such a model is walked over.
    pub graph_names: usize,
    /// Tables of a TFLite model, those counted again that several lead to.
    pub flatbuffer_tables: u64,
    /// Bytes that are read of a TFLite model's tables and names, those counted again that several lead to.
    pub flatbuffer_bytes: u64,
    /// Bytes of the name of an operator, or of what it belongs to: a domain, a class.
    pub operator_bytes: usize,
    /// Objects of an HDF5 file; as many links, and as many strings in its global heaps.
    pub hdf5_objects: usize,
    /// Parts of an HDF5 file, as structures, data and chunks.
    pub hdf5_ranges: usize,
    /// Bytes of one structure of an HDF5 file.
    pub hdf5_block: u64,
    /// Bytes of all names in an HDF5 file and of the paths of all objects together.
    pub hdf5_names: u64,
    /// Nesting of groups in an HDF5 file.
    pub hdf5_depth: usize,
    /// Bytes of the configuration of a Keras model.
    pub keras_config: u64,
}

const MIB: u64 = 1024 * 1024;

impl Default for Budget {
    fn default() -> Self {
        Self {
            safetensors_header: 100_000_000,
            safetensors_tensors: 262_144,
            safetensors_metadata: 65_536,
            json_token: 8 << 20,
            index_tensors: 524_288,
            index_files: 1024,
            json_bytes: 64 * MIB,
            json_depth: 64,
            json_keys: 524_288,
            name_bytes: 65_535,
            text_bytes: 1024 * MIB,
            gguf_pairs: 65_536,
            gguf_tensors: 262_144,
            gguf_strings: 4_194_304,
            gguf_templates: 2 * MIB,
            gguf_names: 64 * MIB,
            tokenizer_characters: 8 * MIB,
            tokenizer_pieces: 4_194_304,
            pickle_opcodes: 16_777_216,
            pickle_marks: 65_536,
            pickle_values: 524_288,
            pickle_memo: 1_048_576,
            pickle_kept: 8 * 1024 * 1024,
            pickle_storages: 65_536,
            pickle_streams: 1_024,
            numpy_header: 65_536,
            onnx_fields: 65_536,
            onnx_nodes: 4_194_304,
            document_entries: 65_536,
            zip_directory: 32 * MIB,
            zip_entries: 65_536,
            zip_names: 4_194_304,
            zip_free: 16 * MIB,
            zip_ratio: 100,
            zip_held: MIB,
            zip_passes: 8,
            archive_depth: 2,
            graph_fields: 67_108_864,
            graph_depth: 96,
            graph_message: 256 * 1024,
            graph_names: 8 * 1024 * 1024,
            flatbuffer_tables: 262_144,
            flatbuffer_bytes: 256 * MIB,
            operator_bytes: 1024,
            hdf5_objects: 65_536,
            hdf5_ranges: 524_288,
            hdf5_block: 4 * MIB,
            hdf5_names: 8 * MIB,
            hdf5_depth: 64,
            keras_config: 64 * MIB,
        }
    }
}
