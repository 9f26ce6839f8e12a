//! What is kept of the messages, as prost decodes it. Numbers are 64 bits wide throughout: a reader
//! that cuts them to 32 must not see another one.

/// `SavedModel`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SavedModel {
    #[prost(int64, optional, tag = "1")]
    pub(super) schema_version: Option<i64>,
    /// How many there are.
    #[prost(uint64, optional, tag = "2")]
    pub(super) meta_graphs: Option<u64>,
}

/// `MetaGraphDef`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct MetaGraph {
    /// How many there are.
    #[prost(uint64, optional, tag = "2")]
    pub(super) graph_def: Option<u64>,
}

/// `MetaGraphDef.MetaInfoDef`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct MetaInfo {
    #[prost(string, repeated, tag = "4")]
    pub(super) tags: Vec<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) tensorflow_version: Option<String>,
}

/// `NodeDef`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) op: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attr: Vec<Named>,
}

/// A message whose field 1 is a name: `OpDef`, `NameAttrList`, an entry of a map.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Named {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// `FunctionDef`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Function {
    #[prost(message, optional, tag = "1")]
    pub(super) signature: Option<Named>,
}

/// `GradientDef`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Gradient {
    #[prost(string, tag = "2")]
    pub(super) gradient_func: String,
}

/// `AssetFileDef`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AssetFile {
    #[prost(string, tag = "2")]
    pub(super) filename: String,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `SavedObject`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SavedObject {
    #[prost(string, tag = "13")]
    pub(super) registered_name: String,
    #[prost(string, tag = "16")]
    pub(super) registered_saver: String,
}

/// `TensorProto`: its head, and how many values or bytes its data has.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Tensor {
    #[prost(int64, tag = "1")]
    pub(super) dtype: i64,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<Shape>,
    #[prost(uint64, tag = "4")]
    pub(super) tensor_content: u64,
    #[prost(uint64, tag = "5")]
    pub(super) float_val: u64,
    #[prost(uint64, tag = "6")]
    pub(super) double_val: u64,
    #[prost(uint64, tag = "7")]
    pub(super) int_val: u64,
    #[prost(uint64, tag = "8")]
    pub(super) string_val: u64,
    #[prost(uint64, tag = "9")]
    pub(super) scomplex_val: u64,
    #[prost(uint64, tag = "10")]
    pub(super) int64_val: u64,
    #[prost(uint64, tag = "11")]
    pub(super) bool_val: u64,
    #[prost(uint64, tag = "12")]
    pub(super) dcomplex_val: u64,
    #[prost(uint64, tag = "13")]
    pub(super) half_val: u64,
    #[prost(uint64, tag = "16")]
    pub(super) uint32_val: u64,
    #[prost(uint64, tag = "17")]
    pub(super) uint64_val: u64,
    #[prost(uint64, tag = "18")]
    pub(super) float8_val: u64,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "2")]
    pub(super) dim: Vec<Dim>,
    #[prost(uint64, tag = "3")]
    pub(super) unknown_rank: u64,
}

/// `TensorShapeProto.Dim`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Dim {
    #[prost(int64, tag = "1")]
    pub(super) size: i64,
}
